package chunk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/knob"
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
// already serves as well (rule E3: it answered, in its own era).
func putPack(ctx context.Context, cfg *Config, pack manifest.Pack, body []byte) (era uint64, err error) {
	b := backoff{}
	for {
		pack.Era = cfg.Times.EraOf(cfg.Clock.Now())
		info, err := cfg.Store.Put(ctx, pack.Key(), body, store.Absent)
		switch {
		case errors.Is(err, store.ErrPrecondition):
			if err := checkThere(ctx, cfg, pack); err != nil {
				return 0, err
			}
		case errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrUnknown):
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

// checkThere refuses to name a pack that somebody has damaged: the bytes to
// be saved would be lost without a trace.
func checkThere(ctx context.Context, cfg *Config, pack manifest.Pack) error {
	info, err := cfg.Store.Stat(ctx, pack.Key())
	if err != nil {
		return err
	}
	if info.Size != pack.Size {
		return fmt.Errorf("%w: %s is there with %d bytes, not %d; run verify", ErrCorrupt, pack.Key(), info.Size, pack.Size)
	}
	return nil
}

// backoff waits longer and longer, with full jitter, some thirty seconds in
// all.
type backoff struct{ tries int }

const maxTries = 10

func (b *backoff) wait(ctx context.Context) bool {
	if b.tries++; b.tries > maxTries {
		return false
	}
	limit := min(50*time.Millisecond<<b.tries, 8*time.Second)
	t := time.NewTimer(knob.Jitter(limit))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
