package store

import "errors"

// ErrStalled: a request was ended because it made no progress for 20 s. The
// error is also ErrUnavailable, or ErrUnknown if a change may have been
// applied.
var ErrStalled = errors.New("the server makes no progress")

// Stalls counts the tries of one call that stalled. The zero value is ready to
// use. A server that restarts refuses connections: each try fails at once, and
// a minute of them is affordable. A server that accepts connections and stalls
// costs 20 s for each try, so the call is repeated only once.
type Stalls int

// maxStalls is how many tries of a call may stall. At 20 s each, a call ends
// within 50 s.
const maxStalls = 2

// Enough counts the error of a try if it is ErrStalled. It reports whether so
// many tries have stalled that the call must not be repeated.
func (s *Stalls) Enough(err error) bool {
	if errors.Is(err, ErrStalled) {
		*s++
	}
	return *s >= maxStalls
}
