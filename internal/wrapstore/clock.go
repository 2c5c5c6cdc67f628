package wrapstore

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// Clock follows a store's clock. All times of the protocol are the store's:
// a client's own clock may be wrong by days and is used only to measure
// how long ago the store last told the time.
type Clock struct {
	mu   sync.Mutex
	at   time.Time // the store's time in its last answer
	here time.Time // the local clock at that moment, wall and monotonic
}

// Observe records the store's time in an answer. It ignores the zero time.
func (c *Clock) Observe(at time.Time) {
	if at.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.here = at, time.Now()
}

// Last returns the store's time in its last answer, and how long ago that was.
// Without an observation the time is zero.
func (c *Clock) Last() (at time.Time, ago time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return time.Time{}, 0
	}
	return c.at, Elapsed(c.here, time.Now())
}

// Now estimates the store's time: the last observation plus what has passed
// since. Without an observation it is zero.
func (c *Clock) Now() time.Time {
	at, ago := c.Last()
	if at.IsZero() {
		return at
	}
	return at.Add(ago)
}

// Elapsed returns the time between two readings of the local clock: the longer
// of the wall clock's and the monotonic clock's. The monotonic clock stands
// still while the machine sleeps, and the wall clock may be set back.
func Elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)), 0)
}

// Fresh returns a time at which the store's clock has certainly been, at most
// maxAge ago: the last observation if it is that young, otherwise a new one.
func (c *Clock) Fresh(ctx context.Context, st store.Store, maxAge time.Duration) (time.Time, error) {
	if at, ago := c.Last(); !at.IsZero() && ago <= maxAge {
		return at, nil
	}
	at, err := st.Now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	c.Observe(at)
	return at, nil
}

// ObserveClock returns st with a wrapper that lets c observe the time in every
// answer.
func ObserveClock(st store.Store, c *Clock) store.Store {
	return watched{st, c}
}

type watched struct {
	st    store.Store
	clock *Clock
}

// Unwrap returns the store below.
func (w watched) Unwrap() store.Store { return w.st }

func (w watched) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := w.st.Get(ctx, key, opts)
	w.clock.Observe(info.Now)
	return body, info, err
}

func (w watched) Stat(ctx context.Context, key string) (store.Info, error) {
	info, err := w.st.Stat(ctx, key)
	w.clock.Observe(info.Now)
	return info, err
}

func (w watched) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	info, err := w.st.Put(ctx, key, body, match)
	w.clock.Observe(info.Now)
	return info, err
}

func (w watched) Delete(ctx context.Context, key string) error { return w.st.Delete(ctx, key) }

func (w watched) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var last time.Time
		for info, err := range w.st.List(ctx, prefix, after) {
			if info.Now != last { // once for each page
				last = info.Now
				w.clock.Observe(last)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// Keys come without a time, so the clock learns nothing from them.
func (w watched) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return KeysBelow(ctx, w.st, prefix, after)
}

func (w watched) Stage(ctx context.Context, key string, body []byte) (store.Staged, error) {
	return StageBelow(ctx, w.st, key, body, func(s store.Staged) store.Staged { return watchedStage{s, w.clock} })
}

type watchedStage struct {
	store.Staged
	clock *Clock
}

func (w watchedStage) Commit(ctx context.Context, key string) (store.Info, error) {
	info, err := w.Staged.Commit(ctx, key)
	w.clock.Observe(info.Now)
	return info, err
}

func (w watched) Now(ctx context.Context) (time.Time, error) {
	at, err := w.st.Now(ctx)
	w.clock.Observe(at)
	return at, err
}
