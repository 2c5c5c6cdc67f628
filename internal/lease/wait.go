package lease

import (
	"context"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/lock"
)

// ErrTimeout: somebody else holds the lock, and did so for as long as was
// waited. See lock.TimeoutError.
var ErrTimeout = lock.ErrTimeout

// waiter waits for a lock to become free: by looking again and again, at first
// after Poll, then less and less often down to a tenth of that, each time a
// random part of it earlier. Waiters only read: some stores take no more than
// one write a second to a key, and the holder's renewals need that (attack A39).
type waiter struct {
	start   time.Time
	timeout time.Duration
	next    time.Duration
	most    time.Duration
}

func newWaiter(o Options) *waiter {
	return &waiter{start: time.Now(), timeout: o.Timeout, next: o.Poll, most: 10 * o.Poll}
}

// wait returns nil when it is time to look again, and an error when the time
// or the context is over.
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
