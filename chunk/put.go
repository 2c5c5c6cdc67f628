package chunk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store"
)

// ErrCorrupt: stored bytes do not have their digest, or are cut short.
var ErrCorrupt = errors.New("stored data is corrupt")

// ErrMissing: a pack that a manifest names is not in the store.
var ErrMissing = errors.New("stored data is missing")

// putPack puts a pack into the current era and returns that era.
//
// The answer tells the store's time. If the era has changed since the key was
// made — or the clock was wrong — the put is no evidence that the pack stays,
// and it is put again where the time says (rule E1). A pack that is there
// already serves as well (rule E3: it answered, in its own era), once its
// bytes are found to be these.
func putPack(ctx context.Context, cfg *Config, pack manifest.Pack, body []byte) (era uint64, err error) {
	b := backoff{}
	for {
		pack.Era = cfg.Times.EraOf(cfg.Clock.Now())
		info, err := cfg.Store.Put(ctx, pack.Key(), body, store.Absent)
		switch {
		case errors.Is(err, store.ErrPrecondition):
			now, err := ensureSame(ctx, cfg, pack, body)
			switch {
			case errors.Is(err, errMoved):
				if !b.wait(ctx) {
					return 0, errors.Join(err, context.Cause(ctx))
				}
				continue
			case err != nil:
				return 0, err
			}
			info.Now = now
		case errors.Is(err, store.ErrUnknown):
			if !b.wait(ctx) {
				return 0, errors.Join(err, context.Cause(ctx))
			}
			continue // the same bytes under the same key: no harm done twice
		case err != nil:
			return 0, err
		}
		now := info.Now
		if now.IsZero() {
			if now, err = cfg.Store.Now(ctx); err != nil {
				return 0, err
			}
			cfg.Clock.Observe(now)
		}
		if cfg.Times.EraOf(now) == pack.Era {
			return pack.Era, nil
		}
		if !b.wait(ctx) {
			return 0, fmt.Errorf("the store's clock is not steady: it says %s", now)
		}
	}
}

// backoff waits longer and longer, with full jitter, about a minute in all:
// a store that loses its answers may be a server being restarted.
type backoff struct{ tries int }

const maxTries = 18

func (b *backoff) wait(ctx context.Context) bool {
	if b.tries++; b.tries > maxTries {
		return false
	}
	limit := min(50*time.Millisecond<<b.tries, 8*time.Second)
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
