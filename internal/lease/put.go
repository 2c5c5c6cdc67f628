package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

var (
	// errConflict: the register was in another state, and the write will not
	// be applied.
	errConflict = errors.New("condition not met")
	// errReplaced is also errConflict: it was applied, but is no longer there.
	errReplaced = fmt.Errorf("%w, after it was applied", errConflict)
)

// maxRepeats is how often a write is repeated that is not a renewal or a release,
// which have a time limit of their own.
const maxRepeats = 10

// between spaces the tries of one write.
func between() backoff.Backoff {
	return backoff.Backoff{First: 2 * time.Millisecond, Most: time.Second}
}

// race spaces the tries of a swap that others keep winning.
func race() backoff.Backoff {
	return backoff.Backoff{First: 2 * time.Millisecond, Most: 64 * time.Millisecond}
}

// put writes a register whose present token is match. If an answer is lost, it
// repeats the same request until it is decided: if the first one was applied,
// the second is refused, and the register shows our nonce (attack A41).
//
// Each try has patience, or with 0 as long as ctx. With patience it goes on
// until ctx ends whatever the error, otherwise it returns errors that time
// will not heal. An error that is store.ErrUnknown: it may have been applied,
// or may be yet.
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
			err = fmt.Errorf("%w: writing %s with nonce %s: %w", store.ErrUnknown, key, reg.Nonce, errors.Join(unknown, err))
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
			// Even the first try may be refused because of itself: there are
			// load balancers that repeat a put.
			info, err = s.decide(ctx, key, reg, match, patience)
			if err == nil || errors.Is(err, errConflict) {
				return info, err
			}
			if unknown == nil {
				unknown = err // it may be that this one was applied
			}
		case errors.Is(err, store.ErrUnknown):
			unknown, heals = err, true
		case errors.Is(err, store.ErrRetry):
			heals = true
		}
		more := false
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

// decide finds out what became of a write that was refused: an earlier try, or
// a copy of it that the network has made, may have been applied.
func (s *Locks) decide(ctx context.Context, key string, reg *manifest.Lock, match store.Token, patience time.Duration) (store.Info, error) {
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	body, info, err := s.st.Get(ctx, key, nil)
	if errors.Is(err, store.ErrNotExist) && (match != store.Absent || reg.State == manifest.LockShared) {
		return store.Info{}, errConflict // it was there, and was removed
	}
	if err != nil {
		return store.Info{}, err
	}
	head, err := manifest.DecodeHead(body)
	switch {
	case errors.Is(err, manifest.ErrCorrupt), errors.Is(err, manifest.ErrNewer):
		return store.Info{}, errConflict // it is not ours
	case err != nil:
		return store.Info{}, err
	case head.Nonce == reg.Nonce:
		return info, nil
	case head.Wrote(reg.Nonce):
		return store.Info{}, errReplaced
	}
	return store.Info{}, errConflict
}
