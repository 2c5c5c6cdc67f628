package lease

import (
	"context"
	"errors"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// damaged reports whether a register was read and cannot be one.
func damaged(err error) bool {
	return errors.Is(err, manifest.ErrCorrupt) || errors.Is(err, store.ErrTooLarge)
}

// Mend puts the damaged register at a key right: an exclusive one is set free,
// that of a shared holder removed. One that is sound is left as it is. Errors are those of the
// store, and ErrChanged.
func (s *Locks) Mend(ctx context.Context, key string) error {
	name, id, err := manifest.ParseLockKey(key)
	if err != nil {
		return err
	}
	if id != "" {
		body, _, err := s.st.Get(ctx, key, &store.GetOptions{Most: manifest.MaxSmall})
		if err == nil {
			_, err = manifest.DecodeLock(body, name, true)
		}
		if damaged(err) {
			return s.st.Delete(ctx, key)
		}
		return err
	}
	at, err := s.look(ctx, name)
	if err == nil && at.reg != nil {
		err = at.reg.Last()
	}
	if !damaged(err) {
		return err
	}
	by := s.owner
	by.Why = "its register was damaged"
	_, err = s.restart(ctx, key, name, at, &by)
	return err
}

// restart sets a lock free whose register is damaged, or has the last epoch.
// Its epoch is greater than each that the lock can have had by changing hands:
// see manifest.FreshEpoch. at is its state; if somebody has changed that, the
// error is ErrChanged.
func (s *Locks) restart(ctx context.Context, key, name string, at state, by *manifest.LockOwner) (epoch uint64, err error) {
	match := at.info.Token
	if match == store.Absent { // it is too large to be read
		info, err := s.st.Stat(ctx, key)
		if err != nil {
			return 0, err
		}
		if info.Size <= manifest.MaxSmall {
			return 0, ErrChanged
		}
		match = info.Token
	}
	now, err := s.clock.Fresh(ctx, s.st, time.Minute)
	if err != nil {
		return 0, err
	}
	reg := manifest.NewLock(name, manifest.LockFree)
	reg.Epoch = manifest.FreshEpoch(now)
	if at.reg != nil {
		reg.Head = at.reg.Head
		reg.Supersede()
	}
	reg.Owner, reg.TTL, reg.BrokenBy = *by, DefaultTTL.Milliseconds(), by
	_, err = s.put(ctx, key, reg, match, 0)
	if errors.Is(err, errConflict) && !errors.Is(err, errReplaced) {
		return 0, ErrChanged
	}
	if errors.Is(err, errReplaced) {
		return reg.Epoch, nil
	}
	return reg.Epoch, err
}
