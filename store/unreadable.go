package store

import (
	"fmt"
	"strings"
)

// UnreadableError is what List and Keys yield for a part of the store that
// cannot be read: a directory, or one key, for which there is no permission,
// or which a broken disk does not give back. The keys of the part are left out; those after it
// follow, so that one bad part does not hide the rest.
//
// A caller that needs all keys treats it as an error.
type UnreadableError struct {
	// Prefix begins the keys that are left out: a directory with a slash at
	// its end, or one whole key.
	Prefix string
	// Err is why, such as an fs.ErrPermission with the path.
	Err error
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s cannot be read: %v", e.Prefix, e.Err)
}

// Unwrap returns why it cannot be read.
func (e *UnreadableError) Unwrap() error { return e.Err }

// After is where a listing goes on behind the part: after all keys in the
// directory, or after the key. What only begins like that, as "a-b" does like
// "a", is no part of it, and still to come.
func (e *UnreadableError) After() string {
	if strings.HasSuffix(e.Prefix, "/") {
		return e.Prefix + AfterAll
	}
	return e.Prefix
}

// AfterAll is greater than whatever can continue the name of a directory.
const AfterAll = "\x7f"
