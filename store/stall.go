package store

import "errors"

// ErrStalled: a request was ended because it made no progress for 20 s. The
// error is also ErrUnavailable, or ErrUnknown if a change may have been
// applied.
var ErrStalled = errors.New("the server makes no progress")
