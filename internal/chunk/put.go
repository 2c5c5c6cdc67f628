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
	compare chan struct{} // full while an existing pack is read; nil: no limit
	looking *looking      // nil: do not look for a pack before putting it
}

// put puts a pack into the current era and returns that era.
//
// The answer has the store's time. If the era has changed since the key was
// made, or the clock was wrong, the put is no evidence that the pack stays, and
// the pack is put again into the era of that time (rule E1 of docs/protocol.md).
// An existing pack serves as well, since it answered in its own era (rule E3),
// once its bytes are found to be the same.
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
		if u.looking != nil { // set before taken is called, since the caller reads it afterwards
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
		case errors.Is(err, store.ErrUnknown): // the same bytes under the same key may be put twice
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

// maxRepeats is how often a put with unknown outcome is repeated: for about
// a minute, in which a server can restart.
const maxRepeats = 18

// maxTurns is how often the era may change under one put.
const maxTurns = 10

// looking is what a save has found while it looked for its packs in the store.
type looking struct {
	off    bool
	misses atomic.Int32 // missing packs since the last one found
	always atomic.Bool  // keep looking: the store takes bodies early, and they have to be compared before that
	found  atomic.Int64 // bytes of the packs found
}

// maxMisses is the number of missing packs after which a save stops looking.
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
	// The process that put it may have died before the pack was durable.
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

// confirm checks that an existing pack is the right one. If the body has been
// given away already, another process has put the pack meanwhile; then it
// checks only the size.
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
// has none.
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
