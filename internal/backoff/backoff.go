// Package backoff waits between the tries of one call: for a random time up to
// a limit that doubles with each try. The random part keeps competitors from
// retrying in step. Every retry loop of the registry uses it.
package backoff

import (
	"context"
	"errors"
	"time"

	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/store"
)

// Backoff spaces the tries of one call, and decides when to give up. Set the
// fields before the first wait. It is for one goroutine.
type Backoff struct {
	First   time.Duration // limit of the first wait, more than 0
	Most    time.Duration // largest limit of a wait
	Repeats int           // number of waits at most; 0: no bound
	For     time.Duration // no wait ends later than this after the first failure; 0: no bound

	tries  int // failed tries
	stalls int
	start  time.Time
}

// maxStalls is how many tries of one call may stall. A server that restarts
// refuses connections, which fails at once: such a call may be repeated for
// a minute. One that accepts them and stalls costs 20 s with each try: the
// call is repeated once, and ends within 50 s.
const maxStalls = 2

// Again waits before the next try, after one that failed with err. It reports
// false if there is no next try: the Backoff's bounds are reached, two tries
// have been store.ErrStalled, or ctx has ended, also while it waited.
func (b *Backoff) Again(ctx context.Context, err error) bool {
	if errors.Is(err, store.ErrStalled) {
		b.stalls++
	}
	return b.Wait(ctx)
}

// Wait is Again for a try whose error does not matter.
func (b *Backoff) Wait(ctx context.Context) bool {
	if b.tries++; b.tries == 1 {
		b.start = time.Now()
	}
	if b.Repeats > 0 && b.tries > b.Repeats || b.stalls >= maxStalls {
		return false
	}
	limit := b.First
	for n := 1; n < b.tries && limit < b.Most; n++ {
		limit *= 2
	}
	d := Random(min(limit, b.Most))
	if b.For > 0 && time.Since(b.start)+d > b.For {
		return false
	}
	return Sleep(ctx, d) == nil
}

// Tries returns how many tries have failed.
func (b *Backoff) Tries() int { return b.tries }

// Reset starts the counts and times anew, after the call has made progress.
func (b *Backoff) Reset() { b.tries, b.stalls = 0, 0 }

// Random returns a random duration in [0, limit). limit must be more than 0.
// All random waits come from here, so that the simulation can control them.
func Random(limit time.Duration) time.Duration { return knob.Jitter(limit) }

// Sleep returns nil after d, or the cause of the end of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
