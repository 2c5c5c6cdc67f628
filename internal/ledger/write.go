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

// Write replaces the register at key if its token is match, and finds out
// whether that was applied. nonce is the nonce in body. Before it writes, it
// probes a store that has not been probed for a day.
//
// It returns nil if the write was applied, and ErrConflict if the register was
// in another state. ErrOutcomeUnknown: the write may have been applied, or may
// be later. Any other error: it was not applied and will not be.
//
// If the store's answer is lost, Write repeats the same request. If the first
// request was applied, the second is refused, and the register or its history
// shows the nonce. While the write is undecided, it is never given up for
// a write to another key, since it may still land (docs/attacks.md, A1 to A3).
func (l *Ledger) Write(ctx context.Context, key string, body []byte, match store.Token, nonce manifest.Nonce) (store.Info, error) {
	if err := l.EnsureProbed(ctx); err != nil {
		return store.Info{}, err
	}
	return l.writeUnprobed(ctx, key, body, match, nonce)
}

// writeUnprobed is Write without the probe.
func (l *Ledger) writeUnprobed(ctx context.Context, key string, body []byte, match store.Token, nonce manifest.Nonce) (store.Info, error) {
	var unknown error // the last error of a try that may have been applied
	fail := func(err error) (store.Info, error) {
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
			// Even the first try may be refused because it was applied: some
			// load balancers repeat a put.
			mine, info, gerr := l.Wrote(ctx, key, nonce)
			if IsNotFound(gerr) && match != store.Absent { // but registers are never removed
				if lost := l.orRegistryGone(ctx, nil); lost != nil {
					return fail(lost)
				}
			}
			switch {
			case gerr == nil && mine:
				return info, nil
			case errors.Is(gerr, store.ErrNoRoot):
				return fail(gerr)
			case gerr == nil, unknown == nil, IsNotFound(gerr) && match != store.Absent:
				return info, fault.ErrConflict // no earlier try can land any more
			}
			err = gerr
		case errors.Is(err, store.ErrUnknown):
			unknown = err
		default:
			return fail(err)
		}
		if !b.Again(ctx, err) {
			return fail(errors.Join(err, ctx.Err()))
		}
	}
}

// Wrote reports whether the state with this nonce is the register's present state
// or one of its last eight. If it is an earlier one, the Info has no token: the
// caller has not read the present state, so it must not replace it.
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
