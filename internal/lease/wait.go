package lease

import (
	"context"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/lock"
)

// ErrTimeout: another process held the lock during the whole wait. See
// lock.TimeoutError.
var ErrTimeout = lock.ErrTimeout

// waiter waits for a lock to become free by looking at it again and again: at
// first after Poll, then less and less often, at last after ten times Poll, each
// time a random part earlier. Waiters only read. Some stores accept one write
// a second to a key, and writes of waiters would keep the holder from renewing
// (docs/attacks.md, A39).
type waiter struct {
	start   time.Time
	timeout time.Duration
	next    time.Duration
	most    time.Duration
}

func newWaiter(o Options) *waiter {
	return &waiter{start: time.Now(), timeout: o.Timeout, next: o.Poll, most: 10 * o.Poll}
}

// wait returns nil when it is time to look again, and an error when the timeout
// or the context has ended.
func (w *waiter) wait(ctx context.Context, name string, h Holder) error {
	d := w.next/2 + backoff.Random(w.next/2+1)
	w.next = min(w.next*3/2, w.most)
	if w.timeout != 0 {
		left := w.timeout - wrapstore.Elapsed(w.start, time.Now())
		if w.timeout < 0 || left <= 0 {
			return &lock.TimeoutError{Name: name, Holder: h}
		}
		d = min(d, left)
	}
	if err := backoff.Sleep(ctx, d); err != nil {
		return fmt.Errorf("%w while waiting: %s is %s", err, name, h)
	}
	return nil
}
