package lease

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/lock"
	"github.com/mindtrace/registry/store"
)

// Holder is a process that holds or held a lock.
type Holder = lock.Holder

// Status is the state of a lock.
type Status = lock.Status

func holder(reg *manifest.Lock, info store.Info, now time.Time) Holder {
	return Holder{
		Owner: reg.Owner, Since: reg.Since, TTL: reg.TTLD().Seconds(), Renewed: info.Modified,
		Expired: expired(reg, info, now), Key: info.Key, Shared: reg.State == manifest.LockShared,
	}
}

// All yields the state of every lock that was ever taken, in the order of their
// keys. It costs a listing, and a read or two for each lock. An error with the
// name of a lock concerns that lock only, and All continues; an error without
// a name concerns the listing, and is the last.
func (s *Locks) All(ctx context.Context) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		last := ""
		for info, err := range s.st.List(ctx, manifest.LocksPrefix, "") {
			if err != nil {
				if !yield(Status{}, err) {
					return
				}
				continue
			}
			name, _, err := manifest.ParseLockKey(info.Key)
			if err != nil || name == last {
				continue // not a lock, or yielded already
			}
			last = name
			st, err := s.Status(ctx, name)
			if err != nil {
				st = Status{Name: name}
			}
			if !yield(st, err) {
				return
			}
		}
	}
}

// Status returns the state of one lock. A lock that was never taken is free.
func (s *Locks) Status(ctx context.Context, name string) (Status, error) {
	at, err := s.look(ctx, name)
	if err != nil {
		return Status{}, err
	}
	st := Status{Name: name, State: "free"}
	if st.Shared, err = s.shared(ctx, name, map[string]*manifest.Lock{}); err != nil {
		return Status{}, err
	}
	if len(st.Shared) > 0 {
		st.State = "shared"
	}
	if at.reg == nil {
		return st, nil
	}
	st.Epoch, st.BrokenBy = at.reg.Epoch, at.reg.BrokenBy
	if at.reg.State == manifest.LockHeld {
		h := holder(at.reg, at.info, at.now)
		st.Holder, st.State = &h, "held"
		if h.Expired {
			st.State = "expired"
		}
	}
	return st, nil
}

// ErrNotHeld: the lock is free, so there is nothing to break.
var ErrNotHeld = errors.New("nobody holds the lock")

// ErrChanged: the lock has changed hands meanwhile.
var ErrChanged = errors.New("the lock has just changed hands")

// Break takes a lock away from its holders, exclusive and shared, also if it
// has not expired. Holders notice at their next renewal, after a third of their
// TTL at the latest; until then they continue. A lock whose register is damaged
// or has the last epoch gets a new epoch: see restart. It returns the
// epoch that the lock has now. Errors: ErrNotHeld;
// ErrChanged (another process broke it, or has it now); and those of the store.
func (s *Locks) Break(ctx context.Context, name, why string) (now uint64, err error) {
	if err := manifest.ValidName(name); err != nil {
		return 0, err
	}
	by := s.owner
	by.Why = why
	broken := false
	var epoch uint64
	for {
		at, err := s.look(ctx, name)
		if err == nil && at.reg != nil {
			err = at.reg.Last()
		}
		if damaged(err) {
			if now, err = s.restart(ctx, manifest.LockKey(name), name, at, &by); err != nil {
				return 0, err
			}
			broken = true
			break
		}
		if err != nil {
			return 0, err
		}
		if at.reg == nil || at.reg.State != manifest.LockHeld {
			if epoch != 0 {
				return 0, ErrChanged
			}
			if at.reg != nil {
				now = at.reg.Epoch
			}
			break
		}
		if epoch != 0 && at.reg.Epoch != epoch {
			return 0, ErrChanged // another holder has it now and must keep it (docs/attacks.md, A34)
		}
		epoch = at.reg.Epoch
		next := *at.reg
		next.Supersede()
		next.State, next.Renew, next.BrokenBy = manifest.LockFree, 0, &by
		next.Epoch++
		_, err = s.put(ctx, manifest.LockKey(name), &next, at.info.Token, 0)
		if err == nil || errors.Is(err, errReplaced) {
			broken, now = true, next.Epoch
			break
		}
		if !errors.Is(err, errConflict) {
			return 0, err
		}
		// The holder has just renewed it, or it has changed hands.
	}
	for info, err := range s.st.List(ctx, manifest.SharedLocksPrefix(name), "") {
		if err == nil {
			err = s.st.Delete(ctx, info.Key)
		}
		if err != nil {
			return 0, fmt.Errorf("removing shared holders: %w", err)
		}
		broken = true
	}
	if !broken {
		return 0, ErrNotHeld
	}
	return now, nil
}
