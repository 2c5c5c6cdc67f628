package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

var (
	// errConflict: the register was in another state. The write was not
	// applied and will not be.
	errConflict = errors.New("condition not met")
	// errReplaced is also errConflict: the write was applied, and then another
	// process has replaced it.
	errReplaced = fmt.Errorf("%w, after it was applied", errConflict)
)

// maxRepeats is how often a write is repeated. Renewals and releases have time
// limits instead.
const maxRepeats = 10

// between spaces the tries of one write.
func between() backoff.Backoff {
	return backoff.Backoff{First: 2 * time.Millisecond, Most: time.Second}
}

// race spaces the tries of a swap while other processes are faster.
func race() backoff.Backoff {
	return backoff.Backoff{First: 2 * time.Millisecond, Most: 64 * time.Millisecond}
}

// put writes a register whose present token is match. If an answer is lost, it
// repeats the same request until the outcome is known: if the first request was
// applied, the second is refused, and the register has this writer's nonce.
// Without that, a holder whose answer was lost would think that it does not
// have the lock (docs/attacks.md, A41).
//
// A try takes at most patience; 0 means as long as ctx. With patience, put
// tries until ctx ends, whatever the error; without, it returns errors that
// a retry does not cure. After store.ErrUnknown the write may have been applied,
// or may be applied later.
func (s *Locks) put(ctx context.Context, key string, reg *manifest.Lock, match store.Token, patience time.Duration) (store.Info, error) {
	body, err := reg.Encode()
	if err != nil {
		return store.Info{}, err
	}
	var unknown error
	b := between()
	if patience == 0 {
		b.Repeats = maxRepeats
	}
	give := func(err error) (store.Info, error) {
		if unknown != nil {
			err = &fault.OutcomeError{Key: key, Nonce: string(reg.Nonce), Err: errors.Join(unknown, err)}
		}
		return store.Info{}, err
	}
	for {
		info, err := s.try(ctx, key, body, match, patience)
		heals := patience > 0
		switch {
		case err == nil:
			return info, nil
		case errors.Is(err, store.ErrPrecondition):
			// Even the first try may be refused because of itself: some load
			// balancers repeat a put.
			info, err = s.decide(ctx, key, reg, match, patience)
			if err == nil || errors.Is(err, errConflict) {
				return info, err
			}
			if unknown == nil {
				unknown = err // this try may have been applied
			}
		case errors.Is(err, store.ErrUnknown):
			unknown, heals = err, true
		case errors.Is(err, store.ErrRetry):
			heals = true
		}
		var more bool
		switch {
		case !heals:
			return give(err)
		case patience > 0: // a stall ends with the patience
			more = b.Wait(ctx)
		default:
			more = b.Again(ctx, err)
		}
		if !more {
			return give(errors.Join(err, context.Cause(ctx)))
		}
	}
}

func (s *Locks) try(ctx context.Context, key string, body []byte, match store.Token, patience time.Duration) (store.Info, error) {
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return s.st.Put(ctx, key, body, match)
}

// decide finds out whether a write that was refused has been applied: by an
// earlier try, or by a copy of the request that the network has made.
func (s *Locks) decide(ctx context.Context, key string, reg *manifest.Lock, match store.Token, patience time.Duration) (store.Info, error) {
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	body, info, err := s.st.Get(ctx, key, nil)
	if errors.Is(err, store.ErrNotExist) && (match != store.Absent || reg.State == manifest.LockShared) {
		return store.Info{}, errConflict // the key was removed
	}
	if err != nil {
		return store.Info{}, err
	}
	head, err := manifest.DecodeHead(body)
	switch {
	case errors.Is(err, manifest.ErrCorrupt), errors.Is(err, manifest.ErrNewer):
		return store.Info{}, errConflict // another writer's register
	case err != nil:
		return store.Info{}, err
	case head.Nonce == reg.Nonce:
		return info, nil
	case head.Wrote(reg.Nonce):
		return store.Info{}, errReplaced
	}
	return store.Info{}, errConflict
}
