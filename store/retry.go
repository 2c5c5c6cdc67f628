package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/mindtrace/registry/internal/knob"
)

// RetryPolicy says how long Retry goes on. The zero value means the defaults.
type RetryPolicy struct {
	// First is for how long a call is repeated as long as the store has never
	// answered: an address that is wrong should be found out in seconds. 0
	// means 4 s.
	First time.Duration
	// Later is for how long once it has answered: long enough for a server to
	// be restarted. 0 means 1 min.
	Later time.Duration
}

// Retry returns st with calls repeated that failed for a reason that passes:
//
//   - Get, Stat, List and Now on ErrUnavailable and ErrRetry; a List goes on
//     after the last key that it has yielded;
//   - Put on the same two, which say that nothing was changed, and never on
//     ErrUnknown: what that needs, only the caller can know;
//   - Delete on ErrUnknown too, since it may be repeated.
//
// Between tries it waits for a random time, up to a limit that doubles from
// 100 ms to 5 s. When the time of the policy is over, or two tries of the call
// have stalled (see Stalls), the last error is returned. A call that does not
// fail costs no more requests than without Retry.
func Retry(st Store, policy RetryPolicy) Store {
	if policy.First == 0 {
		policy.First = 4 * time.Second
	}
	if policy.Later == 0 {
		policy.Later = time.Minute
	}
	return &retrying{st: st, policy: policy}
}

type retrying struct {
	st       Store
	policy   RetryPolicy
	answered atomic.Bool // at least once
}

// Unwrap returns the store below.
func (r *retrying) Unwrap() Store { return r.st }

// attempts are the tries of one call.
type attempts struct {
	r     *retrying
	start time.Time // of the first failure
	n     int       // failures
	stall Stalls
}

// again takes note of what a try came to. It reports whether to try once
// more, after having waited; if not, it returns the error to return.
func (a *attempts) again(ctx context.Context, err error, kinds ...error) (bool, error) {
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown) && ctx.Err() == nil {
		a.r.answered.Store(true)
	}
	passes := false
	for _, kind := range kinds {
		passes = passes || errors.Is(err, kind)
	}
	if err == nil || !passes || ctx.Err() != nil {
		return false, err
	}
	if a.n++; a.n == 1 {
		a.start = time.Now()
	}
	wait := knob.Jitter(min(50*time.Millisecond<<min(a.n, 7), 5*time.Second))
	budget := a.r.policy.First
	if a.r.answered.Load() {
		budget = a.r.policy.Later
	}
	if a.stall.Enough(err) || time.Since(a.start)+wait > budget {
		return false, fmt.Errorf("%w (tried %d times)", err, a.n)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true, nil
	case <-ctx.Done():
		return false, fmt.Errorf("%w: %w", ctx.Err(), err)
	}
}

// Get implements Store.
func (r *retrying) Get(ctx context.Context, key string, opts *GetOptions) ([]byte, Info, error) {
	for a := (attempts{r: r}); ; {
		body, info, err := r.st.Get(ctx, key, opts)
		if more, err := a.again(ctx, err, ErrUnavailable, ErrRetry); !more {
			return body, info, err
		}
	}
}

// Stat implements Store.
func (r *retrying) Stat(ctx context.Context, key string) (Info, error) {
	for a := (attempts{r: r}); ; {
		info, err := r.st.Stat(ctx, key)
		if more, err := a.again(ctx, err, ErrUnavailable, ErrRetry); !more {
			return info, err
		}
	}
}

// Put implements Store.
func (r *retrying) Put(ctx context.Context, key string, body []byte, match Token) (Info, error) {
	return r.put(ctx, func() (Info, error) { return r.st.Put(ctx, key, body, match) })
}

func (r *retrying) put(ctx context.Context, put func() (Info, error)) (Info, error) {
	for a := (attempts{r: r}); ; {
		info, err := put()
		if errors.Is(err, ErrUnknown) { // whatever else it is
			return info, err
		}
		if more, err := a.again(ctx, err, ErrUnavailable, ErrRetry); !more {
			return info, err
		}
	}
}

// Delete implements Store.
func (r *retrying) Delete(ctx context.Context, key string) error {
	for a := (attempts{r: r}); ; {
		err := r.st.Delete(ctx, key)
		if more, err := a.again(ctx, err, ErrUnavailable, ErrRetry, ErrUnknown); !more {
			return err
		}
	}
}

// List implements Store.
func (r *retrying) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	list := func(after string) iter.Seq2[Info, error] { return r.st.List(ctx, prefix, after) }
	return resume(ctx, r, list, after, func(i Info) string { return i.Key })
}

// resume goes on with a listing that fails, after the last key it has yielded.
func resume[T any](ctx context.Context, r *retrying, list func(after string) iter.Seq2[T, error], after string, key func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		after := after // a Seq2 may be run more than once
		for a := (attempts{r: r}); ; {
			var failed error
			for entry, err := range list(after) {
				if bad := (*UnreadableError)(nil); errors.As(err, &bad) {
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
				a.n, a.stall = 0, 0 // it makes headway
				r.answered.Store(true)
				if !yield(entry, nil) {
					return
				}
			}
			more, err := a.again(ctx, failed, ErrUnavailable, ErrRetry)
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
	if wrappedKeys(ctx, r.st, prefix, after) == nil {
		return nil
	}
	list := func(after string) iter.Seq2[string, error] { return wrappedKeys(ctx, r.st, prefix, after) }
	return resume(ctx, r, list, after, func(key string) string { return key })
}

// Stage implements Stager.
func (r *retrying) Stage(ctx context.Context, key string, body []byte) (Staged, error) {
	return wrappedStage(ctx, r.st, key, body, func(s Staged) Staged { return retryingStage{s, r} })
}

type retryingStage struct {
	Staged
	r *retrying
}

func (s retryingStage) Commit(ctx context.Context, key string) (Info, error) {
	return s.r.put(ctx, func() (Info, error) { return s.Staged.Commit(ctx, key) })
}

// Now implements Store.
func (r *retrying) Now(ctx context.Context) (time.Time, error) {
	for a := (attempts{r: r}); ; {
		at, err := r.st.Now(ctx)
		if more, err := a.again(ctx, err, ErrUnavailable, ErrRetry); !more {
			return at, err
		}
	}
}
