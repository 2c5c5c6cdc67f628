package store

import "errors"

// ErrStalled: a request made no headway for so long that it was ended. It
// comes with ErrUnavailable, or with ErrUnknown where a change may have been
// applied.
var ErrStalled = errors.New("the server stalls")

// Stalls counts the tries of one call that stalled. The zero value has seen
// none. A server that is restarted refuses connections, which fails at once and
// may be repeated for a minute. One that takes them and stalls costs the whole
// patience with each try: the call is repeated once.
type Stalls int

// maxStalls is how many tries of a call may stall: at 20 s each, a call ends
// within 50 s.
const maxStalls = 2

// Enough takes note of what a try came to. It reports whether the call is not
// to be repeated, since so many of its tries have stalled.
func (s *Stalls) Enough(err error) bool {
	if errors.Is(err, ErrStalled) {
		*s++
	}
	return *s >= maxStalls
}
