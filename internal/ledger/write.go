package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// MaxUnknown is how often a write is repeated whose outcome is unknown: for
// about a minute, in which a server can be restarted; see store.Stalls for one
// that stalls. A store that cannot be reached, or is busy, is wrapstore.Retry's
// affair.
const MaxUnknown = 40

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
	if err := l.Trust(ctx); err != nil {
		return store.Info{}, err
	}
	return l.writeUnprobed(ctx, key, body, match, nonce)
}

func (l *Ledger) writeUnprobed(ctx context.Context, key string, body []byte, match store.Token, nonce manifest.Nonce) (store.Info, error) {
	var unknown error // why an earlier try may have been applied
	var stalls store.Stalls
	give := func(err error) (store.Info, error) {
		if unknown == nil {
			return store.Info{}, err
		}
		return store.Info{}, &fault.OutcomeError{Key: key, Nonce: string(nonce), Err: errors.Join(unknown, err)}
	}
	for try := 0; ; try++ {
		info, err := l.Store.Put(ctx, key, body, match)
		switch {
		case err == nil:
			return info, nil
		case errors.Is(err, store.ErrPrecondition):
			// Even the first try may be refused because of itself: there are
			// load balancers that repeat a put.
			mine, info, gerr := l.Wrote(ctx, key, nonce)
			if NotFound(gerr) && match != store.Absent { // no register ever goes
				if lost := l.lost(ctx, nil); lost != nil {
					return give(lost)
				}
			}
			switch {
			case gerr == nil && mine:
				return info, nil
			case errors.Is(gerr, store.ErrNoRoot):
				return give(gerr)
			case gerr == nil, unknown == nil, NotFound(gerr) && match != store.Absent:
				return info, fault.ErrConflict // and no earlier try can land any more
			}
			err = gerr
		case errors.Is(err, store.ErrUnknown):
			unknown = err
		default:
			return give(err)
		}
		if stalls.Enough(err) || try == MaxUnknown {
			return give(err)
		}
		if serr := Sleep(ctx, Jitter(try)); serr != nil {
			return give(errors.Join(err, serr))
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

// Jitter is how long to wait before try number n+2: up to a limit that
// doubles, all of it random, so that competitors spread.
func Jitter(n int) time.Duration { return knob.Jitter(2 * time.Millisecond << min(n, 10)) }

func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
