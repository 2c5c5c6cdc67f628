package fault

import (
	"fmt"
	"strings"

	"github.com/mindtrace/registry/version"
)

// OutcomeError is an ErrOutcomeUnknown with what is needed to find out: if the
// register holds the nonce, the write was applied.
type OutcomeError struct {
	Key   string // of the register, in the store
	Nonce string // of the state that was written, as 32 hexadecimal digits
	Err   error  // why the outcome is unknown
}

// Error implements error.
func (e *OutcomeError) Error() string {
	return fmt.Sprintf("%v: writing %s with nonce %s: %v", ErrOutcomeUnknown, e.Key, e.Nonce, e.Err)
}

// Unwrap returns ErrOutcomeUnknown and the cause.
func (e *OutcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

// UnreadableError is one part of a registry that cannot be read: a register, or
// a directory of registers. The part is damaged (ErrIntegrity), written by a
// newer program (registry.ErrNewer), or the caller may not read it
// (fs.ErrPermission). Listings yield the error and go on with the rest.
type UnreadableError struct {
	Key    string // of the register; or the prefix of a directory's keys, with a slash at the end
	Ref    string // name@version, name@tag, or an object's name; "" if no single object is concerned
	Remedy string // what to do about it, for people to read; may be empty
	Err    error  // the cause
}

// Error implements error. The text has the key, the cause and the remedy.
func (e *UnreadableError) Error() string {
	s := e.Err.Error()
	if !strings.Contains(s, e.Key) {
		s = e.Key + ": " + s
	}
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

// TagError reports that a version was saved, but not all its tags were set.
type TagError struct {
	Version version.Version // the version that was saved
	Tags    []string        // the tags that were not set, or whose state is unknown
	Err     error           // why the first of them was not set
}

// Error implements error.
func (e *TagError) Error() string {
	return fmt.Sprintf("saved as version %s, but not tagged %s: %v", e.Version, strings.Join(e.Tags, ", "), e.Err)
}

// Unwrap returns the cause.
func (e *TagError) Unwrap() error { return e.Err }

// Side names one of the two registries of a copy.
type Side string

// The sides of a copy.
const (
	Source      Side = "source"      // the registry that is read
	Destination Side = "destination" // the registry that is written to
)

// SideError reports which of two registries has failed.
type SideError struct {
	Side Side
	URL  string // of the registry that has failed
	Err  error  // the cause
}

// Error implements error.
func (e *SideError) Error() string { return fmt.Sprintf("%s %s: %v", e.Side, e.URL, e.Err) }

// Unwrap returns the cause.
func (e *SideError) Unwrap() error { return e.Err }
