// Package backoff waits between the tries of one call: for a random time up to
// a limit, which doubles. The random part spreads competitors.
package backoff

import (
	"context"
	"errors"
	"time"

	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/store"
)

// Backoff spaces the tries of one call, and says when they are enough. Set the
// fields before the first wait. It is for one goroutine.
type Backoff struct {
	First   time.Duration // limit of the first wait, more than 0
	Most    time.Duration // where the doubling of the limit ends
	Repeats int           // waits at most; 0: as many as it takes
	For     time.Duration // no wait ends later than that after the first failure; 0: no bound

	tries  int // that have failed
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

// Wait is Again without a look at the error of the try.
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

// Reset makes the next try the first one: the call makes headway.
func (b *Backoff) Reset() { b.tries, b.stalls = 0, 0 }

// Random returns a random duration from 0 up to, but not including, limit,
// which is more than 0. All randomness of waits is drawn here.
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
