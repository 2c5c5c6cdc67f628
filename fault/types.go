package fault

import (
	"fmt"
	"strings"

	"github.com/mindtrace/registry/version"
)

// OutcomeError is an ErrOutcomeUnknown: the register that was written, and the
// nonce to look for in it.
type OutcomeError struct {
	Key   string // of the register, in the store
	Nonce string // of the state that was written
	Err   error  // why the outcome is unknown
}

// Error implements error.
func (e *OutcomeError) Error() string {
	return fmt.Sprintf("%v: writing %s with nonce %s: %v", ErrOutcomeUnknown, e.Key, e.Nonce, e.Err)
}

// Unwrap makes the error ErrOutcomeUnknown and its cause.
func (e *OutcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

// UnreadableError is one part of a registry that cannot be read: a register
// that is damaged, of a newer format or without permission to read it, or
// a directory of registers. Listings yield it and go on, since it does not
// concern the rest. It is ErrIntegrity, ErrNewer or fs.ErrPermission, as its cause.
type UnreadableError struct {
	Key    string // of the register; of a directory, the prefix of its keys, with a slash at the end
	Ref    string // name@version, name@tag, or the name of the object; "" if it is of no single object
	Remedy string // what to do about it, for people; may be empty
	Err    error  // the cause
}

// Error implements error. It says what to do.
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

// TagError says that a version was saved, but that not all its tags were set.
type TagError struct {
	Version version.Version // that was saved
	Tags    []string        // that were not set, or whose state is unknown
	Err     error           // why the first of them was not
}

// Error implements error.
func (e *TagError) Error() string {
	return fmt.Sprintf("saved as version %s, but not tagged %s: %v", e.Version, strings.Join(e.Tags, ", "), e.Err)
}

// Unwrap returns the cause.
func (e *TagError) Unwrap() error { return e.Err }

// Side says which of two registries an operation between them failed at.
type Side string

// The sides of a copy.
const (
	Source      Side = "source"
	Destination Side = "destination"
)

// SideError is the failure of one of two registries.
type SideError struct {
	Side Side
	URL  string // of that registry
	Err  error  // the cause
}

// Error implements error.
func (e *SideError) Error() string { return fmt.Sprintf("%s %s: %v", e.Side, e.URL, e.Err) }

// Unwrap returns the cause.
func (e *SideError) Unwrap() error { return e.Err }
