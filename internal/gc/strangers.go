package gc

import (
	"slices"

	"github.com/mindtrace/registry/internal/manifest"
)

const (
	// MaxStrangers is how many keys a report names that no registry has,
	MaxStrangers = 100
	// and maxStrangerBytes how long they may be together: the report is in
	// a register.
	maxStrangerBytes = manifest.MaxSmall / 2
)

// strange reports whether a key among the registers certainly is none, and takes
// note of it: "thumbs.db", what a program that synchronizes files has left. Any
// other may be a register that was renamed, and all that names some packs.
func (c *collector) strange(key string) bool {
	if _, _, err := manifest.ParseVersionRegisterKey(key); err == nil || manifest.MayBeRegister(key) {
		return false
	}
	c.stranger(key)
	return true
}

// stranger takes note of a key that no registry has.
func (c *collector) stranger(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := &c.report.Strangers; len(*s) < MaxStrangers && c.strangerBytes+len(key) <= maxStrangerBytes && !slices.Contains(*s, key) {
		*s, c.strangerBytes = append(*s, key), c.strangerBytes+len(key)
	}
}
