package store

import (
	"fmt"
	"strings"
)

// UnreadableError is the error that List and Keys yield for a part of the
// store that cannot be read: a directory or a key, for lack of permission or
// because of a broken disk. The keys of the part are left out. The listing
// continues behind it, so that one bad part does not hide the rest.
//
// A caller that needs all keys treats it as the end of the listing.
type UnreadableError struct {
	// Prefix is the part that is left out: a directory with a slash at its
	// end, or one whole key.
	Prefix string
	// Err is the reason, such as an fs.ErrPermission with the path.
	Err error
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s cannot be read: %v", e.Prefix, e.Err)
}

// Unwrap returns the reason.
func (e *UnreadableError) Unwrap() error { return e.Err }

// After returns the key after which a listing continues behind the part: after
// all keys of the directory, or after the one key. A key that only begins with
// the same bytes, such as "a-b" for the key "a", is not part of it and is
// still listed.
func (e *UnreadableError) After() string {
	if strings.HasSuffix(e.Prefix, "/") {
		return e.Prefix + AfterAll
	}
	return e.Prefix
}

// AfterAll, put after the name of a directory with its slash, is greater than
// every key in that directory.
const AfterAll = "\x7f"
