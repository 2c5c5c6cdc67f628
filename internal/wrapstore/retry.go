package wrapstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/store"
)

// RetryPolicy is how long Retry repeats a call. The zero value means the
// defaults.
type RetryPolicy struct {
	// First is how long while the store has never answered: a wrong address
	// should be reported within seconds. 0 means 4 s.
	First time.Duration
	// Later is how long once the store has answered: long enough for a server
	// to restart. 0 means 1 min.
	Later time.Duration
}

// Retry returns st with a wrapper that repeats calls that failed for
// a temporary reason:
//
//   - Get, Stat, List and Now after ErrUnavailable and ErrRetry; a List
//     continues after the last key that it has yielded;
//   - Put after the same two, which mean that nothing was changed. Put is never
//     repeated after ErrUnknown: only the caller can find out the outcome;
//   - Delete also after ErrUnknown, since it is idempotent.
//
// Between tries it waits for a random time, up to a limit that doubles from
// 100 ms to 5 s. When the time of the policy is over, or two tries of the call
// have stalled, it returns the last error. A call that succeeds at once costs
// no extra request.
func Retry(st store.Store, policy RetryPolicy) store.Store {
	if policy.First == 0 {
		policy.First = 4 * time.Second
	}
	if policy.Later == 0 {
		policy.Later = time.Minute
	}
	return &retrying{st: st, policy: policy}
}

type retrying struct {
	st       store.Store
	policy   RetryPolicy
	answered atomic.Bool // at least once
}

// Unwrap returns the store below.
func (r *retrying) Unwrap() store.Store { return r.st }

// call is one call with its tries.
type call struct {
	r *retrying
	backoff.Backoff
}

func (r *retrying) call() call {
	return call{r, backoff.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}}
}

// again is called after each try. It waits, and reports whether to try once
// more; if not, it returns the error of the call.
func (c *call) again(ctx context.Context, err error, kinds ...error) (bool, error) {
	if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUnknown) && ctx.Err() == nil {
		c.r.answered.Store(true)
	}
	passes := false
	for _, kind := range kinds {
		passes = passes || errors.Is(err, kind)
	}
	if err == nil || !passes || ctx.Err() != nil {
		return false, err
	}
	c.For = c.r.policy.First
	if c.r.answered.Load() {
		c.For = c.r.policy.Later
	}
	switch {
	case c.Again(ctx, err):
		return true, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return false, fmt.Errorf("%w (tried %d times)", err, c.Tries())
}

// Get implements Store.
func (r *retrying) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	for c := r.call(); ; {
		body, info, err := r.st.Get(ctx, key, opts)
		if more, err := c.again(ctx, err, store.ErrUnavailable, store.ErrRetry); !more {
			return body, info, err
		}
	}
}

// Stat implements Store.
func (r *retrying) Stat(ctx context.Context, key string) (store.Info, error) {
	for c := r.call(); ; {
		info, err := r.st.Stat(ctx, key)
		if more, err := c.again(ctx, err, store.ErrUnavailable, store.ErrRetry); !more {
			return info, err
		}
	}
}

// Put implements Store.
func (r *retrying) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	return r.put(ctx, func() (store.Info, error) { return r.st.Put(ctx, key, body, match) })
}

func (r *retrying) put(ctx context.Context, put func() (store.Info, error)) (store.Info, error) {
	for c := r.call(); ; {
		info, err := put()
		if errors.Is(err, store.ErrUnknown) { // whatever else it is
			return info, err
		}
		if more, err := c.again(ctx, err, store.ErrUnavailable, store.ErrRetry); !more {
			return info, err
		}
	}
}

// Delete implements Store.
func (r *retrying) Delete(ctx context.Context, key string) error {
	for c := r.call(); ; {
		err := r.st.Delete(ctx, key)
		if more, err := c.again(ctx, err, store.ErrUnavailable, store.ErrRetry, store.ErrUnknown); !more {
			return err
		}
	}
}

// List implements Store.
func (r *retrying) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	list := func(after string) iter.Seq2[store.Info, error] { return r.st.List(ctx, prefix, after) }
	return resume(ctx, r, list, after, func(i store.Info) string { return i.Key })
}

// resume repeats a listing that fails, from the last key that it has yielded.
func resume[T any](ctx context.Context, r *retrying, list func(after string) iter.Seq2[T, error], after string, key func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		after := after // a Seq2 may be run more than once
		for c := r.call(); ; {
			var failed error
			for entry, err := range list(after) {
				if bad := (*store.UnreadableError)(nil); errors.As(err, &bad) {
					after = bad.After()
					if !yield(entry, err) {
						return
					}
					continue
				}
				if err != nil {
					failed = err
					break
				}
				after = key(entry)
				c.Reset() // the listing makes progress
				r.answered.Store(true)
				if !yield(entry, nil) {
					return
				}
			}
			more, err := c.again(ctx, failed, store.ErrUnavailable, store.ErrRetry)
			if more {
				continue
			}
			if err != nil {
				var none T
				yield(none, err)
			}
			return
		}
	}
}

// Keys implements KeyLister.
func (r *retrying) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	if KeysBelow(ctx, r.st, prefix, after) == nil {
		return nil
	}
	list := func(after string) iter.Seq2[string, error] { return KeysBelow(ctx, r.st, prefix, after) }
	return resume(ctx, r, list, after, func(key string) string { return key })
}

// Stage implements Stager.
func (r *retrying) Stage(ctx context.Context, key string, body []byte) (store.Staged, error) {
	return StageBelow(ctx, r.st, key, body, func(s store.Staged) store.Staged { return retryingStage{s, r} })
}

type retryingStage struct {
	store.Staged
	r *retrying
}

func (s retryingStage) Commit(ctx context.Context, key string) (store.Info, error) {
	return s.r.put(ctx, func() (store.Info, error) { return s.Staged.Commit(ctx, key) })
}

// Now implements Store.
func (r *retrying) Now(ctx context.Context) (time.Time, error) {
	for c := r.call(); ; {
		at, err := r.st.Now(ctx)
		if more, err := c.again(ctx, err, store.ErrUnavailable, store.ErrRetry); !more {
			return at, err
		}
	}
}
