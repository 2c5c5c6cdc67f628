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

// putter puts packs.
type putter struct {
	cfg     *Config
	compare chan struct{} // held while a pack that is there already is read; nil: no need to
	looking *looking      // nil: it does not look whether a pack is there before it puts it
}

// put puts a pack into the current era and returns that era.
//
// The answer tells the store's time. If the era has changed since the key was
// made — or the clock was wrong — the put is no evidence that the pack stays,
// and it is put again where the time says (rule E1). A pack that is there
// already serves as well (rule E3: it answered, in its own era), once its
// bytes are found to be these.
//
// taken is called when the body may be changed, if that is before put returns.
func (u *putter) put(ctx context.Context, pack manifest.Pack, body []byte, taken func()) (era uint64, err error) {
	pack.Era = u.cfg.Times.EraOf(u.cfg.Clock.Now())
	if found, err := u.find(ctx, pack, body); found || err != nil {
		return pack.Era, err
	}
	staged, early, err := store.Stage(ctx, u.cfg.Store, pack.Key(), body)
	if err != nil {
		return 0, err
	}
	defer staged.Discard()
	if early {
		if u.looking != nil { // first: the caller looks at it once taken returns
			u.looking.always.Store(true)
		}
		taken()
		body = nil
	}
	b := backoff.Backoff{First: 100 * time.Millisecond, Most: 8 * time.Second, Repeats: maxRepeats}
	for turns := 0; ; {
		pack.Era = u.cfg.Times.EraOf(u.cfg.Clock.Now())
		info, err := staged.Commit(ctx, pack.Key())
		switch {
		case errors.Is(err, store.ErrPrecondition):
			info, err = u.confirm(ctx, pack, body)
		case errors.Is(err, store.ErrUnknown): // the same bytes under the same key: no harm done twice
			err = fmt.Errorf("%w: %w", errMoved, err)
		}
		if errors.Is(err, errMoved) && b.Again(ctx, err) {
			continue
		}
		if err != nil {
			return 0, errors.Join(err, context.Cause(ctx))
		}
		now, err := u.timeOf(ctx, info)
		if err != nil {
			return 0, err
		}
		if u.cfg.Times.EraOf(now) == pack.Era {
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
	off    bool
	misses atomic.Int32 // since the last that was there
	always atomic.Bool  // the store takes bodies early: they have to be compared before that
	found  atomic.Int64 // bytes of packs that were there
}

// maxMisses is after how many packs that are not there a save stops looking.
const maxMisses = 4

// find reports whether the pack is in its era already, as it is when an
// interrupted save is run again: then its bytes need not be sent. After four
// misses the save is not such a rerun, and it stops looking; unless the store
// takes bodies early, and the body is gone before the answer comes.
func (u *putter) find(ctx context.Context, pack manifest.Pack, body []byte) (bool, error) {
	l := u.looking
	if l == nil || l.off || l.misses.Load() >= maxMisses && !l.always.Load() {
		return false, nil
	}
	info, err := u.cfg.Store.Stat(ctx, pack.Key())
	if errors.Is(err, store.ErrNotExist) {
		l.misses.Add(1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.misses.Store(0)
	if info.CRC32C == "" || info.CRC32C != store.CRC32C(body) || info.Size != pack.Size {
		if info, err = u.confirm(ctx, pack, body); errors.Is(err, errMoved) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	// The process that has put it may have died before it was durable.
	if err := store.Flush(ctx, u.cfg.Store, pack.Key()); err != nil {
		return false, err
	}
	now, err := u.timeOf(ctx, info)
	if err != nil || u.cfg.Times.EraOf(now) != pack.Era {
		return false, err
	}
	l.found.Add(pack.Size)
	return true, nil
}

// confirm makes sure that a pack that is there already is the right one. Where
// the body has been given away, somebody has put the pack in the meantime, and
// only its size is looked at.
func (u *putter) confirm(ctx context.Context, pack manifest.Pack, body []byte) (store.Info, error) {
	if body != nil {
		now, err := u.ensureSame(ctx, pack, body)
		return store.Info{Now: now}, err
	}
	info, err := u.cfg.Store.Stat(ctx, pack.Key())
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
func (u *putter) timeOf(ctx context.Context, info store.Info) (time.Time, error) {
	if !info.Now.IsZero() {
		return info.Now, nil
	}
	now, err := u.cfg.Store.Now(ctx)
	if err == nil {
		u.cfg.Clock.Observe(now)
	}
	return now, err
}
