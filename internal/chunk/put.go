package chunk

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/manifest"
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
//
// taken is called when the body may be changed, if that is before putPack
// returns.
func putPack(ctx context.Context, cfg *Config, pack manifest.Pack, body []byte, taken func()) (era uint64, err error) {
	pack.Era = cfg.Times.EraOf(cfg.Clock.Now())
	if found, err := findPack(ctx, cfg, pack, body); found || err != nil {
		return pack.Era, err
	}
	staged, early, err := store.Stage(ctx, cfg.Store, pack.Key(), body)
	if err != nil {
		return 0, err
	}
	defer staged.Discard()
	if early {
		if cfg.looking != nil { // first: who waits for taken looks at it
			cfg.looking.always.Store(true)
		}
		taken()
		body = nil
	}
	b := backoff.Backoff{First: 100 * time.Millisecond, Most: 8 * time.Second, Repeats: maxRepeats}
	for turns := 0; ; {
		pack.Era = cfg.Times.EraOf(cfg.Clock.Now())
		info, err := staged.Commit(ctx, pack.Key())
		switch {
		case errors.Is(err, store.ErrPrecondition):
			info, err = confirm(ctx, cfg, pack, body)
		case errors.Is(err, store.ErrUnknown): // the same bytes under the same key: no harm done twice
			err = fmt.Errorf("%w: %w", errMoved, err)
		}
		if errors.Is(err, errMoved) && b.Again(ctx, err) {
			continue
		}
		if err != nil {
			return 0, errors.Join(err, context.Cause(ctx))
		}
		now, err := timeOf(ctx, cfg, info)
		if err != nil {
			return 0, err
		}
		if cfg.Times.EraOf(now) == pack.Era {
			return pack.Era, nil
		}
		if turns++; turns > maxTurns {
			return 0, fmt.Errorf("the store's clock is not steady: it says %s", now)
		}
	}
}

// maxRepeats is how often a put is repeated whose outcome is unknown: for about
// a minute, in which a server can restart.
const maxRepeats = 18

// maxTurns is how often the era may change under one put.
const maxTurns = 10

// looking is what a save has seen when it looked whether its packs are there.
type looking struct {
	misses atomic.Int32 // since the last that was there
	always atomic.Bool  // the store takes bodies early: they are to be compared before
	found  atomic.Int64 // bytes of packs that were there
}

// maxMisses is after how many packs that are not there a save stops looking.
const maxMisses = 4

// findPack looks whether the pack is in its era already, as it is when
// an interrupted save is run again: then its bytes need not be moved. A save
// that finds none of its first packs is no such, and stops looking; unless the
// body will be given away before the answer comes.
func findPack(ctx context.Context, cfg *Config, pack manifest.Pack, body []byte) (bool, error) {
	l := cfg.looking
	if l == nil || l.misses.Load() >= maxMisses && !l.always.Load() {
		return false, nil
	}
	info, err := cfg.Store.Stat(ctx, pack.Key())
	if errors.Is(err, store.ErrNotExist) {
		l.misses.Add(1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.misses.Store(0)
	if info.CRC32C == "" || info.CRC32C != store.CRC32C(body) || info.Size != pack.Size {
		if info, err = confirm(ctx, cfg, pack, body); errors.Is(err, errMoved) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	// Whoever has put it may have died before it was durable.
	if err := store.Flush(ctx, cfg.Store, pack.Key()); err != nil {
		return false, err
	}
	now, err := timeOf(ctx, cfg, info)
	if err != nil || cfg.Times.EraOf(now) != pack.Era {
		return false, err
	}
	l.found.Add(pack.Size)
	return true, nil
}

// confirm makes sure that a pack that is there already is the right one. Where
// the body has been given away, somebody has put the pack in the meantime, and
// only its size is looked at.
func confirm(ctx context.Context, cfg *Config, pack manifest.Pack, body []byte) (store.Info, error) {
	if body != nil {
		now, err := ensureSame(ctx, cfg, pack, body)
		return store.Info{Now: now}, err
	}
	info, err := cfg.Store.Stat(ctx, pack.Key())
	if errors.Is(err, store.ErrNotExist) {
		return info, fmt.Errorf("%w: %w", errMoved, err)
	}
	if err == nil && info.Size != pack.Size {
		err = fmt.Errorf("%w: %s is there with %d bytes, not %d; save again", ErrCorrupt, pack.Key(), info.Size, pack.Size)
	}
	return info, err
}

// timeOf returns the store's time of an answer, and asks for it if the answer
// did not tell.
func timeOf(ctx context.Context, cfg *Config, info store.Info) (time.Time, error) {
	if !info.Now.IsZero() {
		return info.Now, nil
	}
	now, err := cfg.Store.Now(ctx)
	if err == nil {
		cfg.Clock.Observe(now)
	}
	return now, err
}
