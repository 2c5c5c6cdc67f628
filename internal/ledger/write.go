package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// UntilKnown spaces the repeats of one request whose outcome is unknown. They
// last for about a minute, in which a server can be restarted. A store that
// cannot be reached, or that is busy, is retried below, by wrapstore.Retry.
func UntilKnown() backoff.Backoff {
	return backoff.Backoff{First: 2 * time.Millisecond, Most: 2048 * time.Millisecond, Repeats: 40}
}

// Race spaces the tries of a swap that other writers keep winning. It has no
// bound: each refusal is the success of another writer.
func Race() backoff.Backoff {
	return backoff.Backoff{First: 4 * time.Millisecond, Most: 64 * time.Millisecond}
}

// Write puts a register whose present token is match, and finds out whether
// that was applied. It returns nil if so, ErrConflict if the register was in
// another state, ErrOutcomeUnknown if that cannot be found out, and any other
// error if it was not applied and will not be.
//
// A store's answer can get lost. The write is then repeated as it is: if the
// first one was applied, the second one is refused, and the register or its
// history shows our nonce. It is never given up for another key while it is
// undecided, since it may land later (attacks A1 to A3).
//
// A store that has not been probed for a day is probed first.
func (l *Ledger) Write(ctx context.Context, key string, body []byte, match store.Token, nonce manifest.Nonce) (store.Info, error) {
	if err := l.EnsureProbed(ctx); err != nil {
		return store.Info{}, err
	}
	return l.writeUnprobed(ctx, key, body, match, nonce)
}

func (l *Ledger) writeUnprobed(ctx context.Context, key string, body []byte, match store.Token, nonce manifest.Nonce) (store.Info, error) {
	var unknown error // why an earlier try may have been applied
	give := func(err error) (store.Info, error) {
		if unknown == nil {
			return store.Info{}, err
		}
		return store.Info{}, &fault.OutcomeError{Key: key, Nonce: string(nonce), Err: errors.Join(unknown, err)}
	}
	for b := UntilKnown(); ; {
		info, err := l.Store.Put(ctx, key, body, match)
		switch {
		case err == nil:
			return info, nil
		case errors.Is(err, store.ErrPrecondition):
			// Even the first try may be refused because of itself: there are
			// load balancers that repeat a put.
			mine, info, gerr := l.Wrote(ctx, key, nonce)
			if IsNotFound(gerr) && match != store.Absent { // no register ever goes
				if lost := l.orRegistryGone(ctx, nil); lost != nil {
					return give(lost)
				}
			}
			switch {
			case gerr == nil && mine:
				return info, nil
			case errors.Is(gerr, store.ErrNoRoot):
				return give(gerr)
			case gerr == nil, unknown == nil, IsNotFound(gerr) && match != store.Absent:
				return info, fault.ErrConflict // and no earlier try can land any more
			}
			err = gerr
		case errors.Is(err, store.ErrUnknown):
			unknown = err
		default:
			return give(err)
		}
		if !b.Again(ctx, err) {
			return give(errors.Join(err, ctx.Err()))
		}
	}
}

// Wrote reports whether the register at key is, or was, the one with nonce.
// If it only was, the Info has no token: what others have made of it since
// must not be replaced by somebody who has not read it.
func (l *Ledger) Wrote(ctx context.Context, key string, nonce manifest.Nonce) (bool, store.Info, error) {
	body, info, err := l.Store.Get(ctx, key, nil)
	if err != nil {
		return false, info, err
	}
	h, err := manifest.DecodeHead(body)
	if err != nil {
		return false, info, err
	}
	if h.Nonce != nonce {
		info.Token = store.Absent
	}
	return h.Wrote(nonce), info, nil
}
