package gc

import (
	"slices"

	"github.com/mindtrace/registry/internal/manifest"
)

const (
	// MaxStrangers is how many strangers a report names at most.
	MaxStrangers = 100
	// maxStrangerBytes is the length of their keys together, at most: the report
	// has to fit the marker's register.
	maxStrangerBytes = manifest.MaxSmall / 2
)

// strange reports whether a key below objects/ is certainly no register, and
// records it: "thumbs.db", or a file that a synchronizing program has left. Any
// other key with an invalid name may be a renamed register, which may be the only
// one that names some packs.
func (c *collector) strange(key string) bool {
	if _, _, err := manifest.ParseVersionRegisterKey(key); err == nil || manifest.MayBeRegister(key) {
		return false
	}
	c.stranger(key)
	return true
}

// stranger records a key that no registry has put.
func (c *collector) stranger(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := &c.report.Strangers; len(*s) < MaxStrangers && c.strangerBytes+len(key) <= maxStrangerBytes && !slices.Contains(*s, key) {
		*s, c.strangerBytes = append(*s, key), c.strangerBytes+len(key)
	}
}
