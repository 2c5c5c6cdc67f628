package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// RLock takes the shared lock of a name. It waits while another process holds
// the exclusive lock, or has taken it and waits for shared holders. Without an
// exclusive holder it costs a write and a read. Errors are those of Lock.
func (s *Locks) RLock(ctx context.Context, name string, opts *Options) (*Lease, error) {
	o := opts.defaults()
	w := newWaiter(o)
	for {
		l, err := s.share(ctx, name, o)
		if err != nil {
			return nil, err
		}
		at, err := s.look(ctx, name)
		if err == nil && !at.live() {
			err = l.Check()
		}
		if err != nil {
			l.Release()
			return nil, err
		}
		if !at.live() {
			if at.reg != nil {
				l.epoch = at.reg.Epoch
			}
			return l, nil
		}
		if err := l.Release(); err != nil {
			return nil, err
		}
		for at.live() {
			if err := w.wait(ctx, name, holder(at.reg, at.info, at.now)); err != nil {
				return nil, err
			}
			if at, err = s.look(ctx, name); err != nil {
				return nil, err
			}
		}
	}
}

// share puts a key for this shared holder. Each time it is a new key, since
// a key that was removed is never written again.
func (s *Locks) share(ctx context.Context, name string, o Options) (*Lease, error) {
	reg := manifest.NewLock(name, manifest.LockShared)
	if err := s.sign(ctx, reg, o); err != nil {
		return nil, err
	}
	key, sent := manifest.SharedLockKey(name, reg.Nonce), s.now()
	info, err := s.put(ctx, key, reg, store.Absent, 0)
	if err == nil {
		return s.newLease(ctx, key, reg, info.Token, sent), nil
	}
	if errors.Is(err, store.ErrUnknown) {
		// If the put is applied after this, nobody renews the key, and it
		// expires.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		s.st.Delete(ctx, key)
	}
	return nil, err
}

// shared returns the shared holders of a name, including expired ones. It reads
// each register once, and keeps it in known: later only its age changes.
func (s *Locks) shared(ctx context.Context, name string, known map[string]*manifest.Lock) ([]Holder, error) {
	before, err := s.before(ctx)
	if err != nil {
		return nil, err
	}
	var all []Holder
	for info, err := range s.st.List(ctx, manifest.SharedLocksPrefix(name), "") {
		if err != nil {
			return nil, err
		}
		reg := known[info.Key]
		if reg == nil {
			body, _, err := s.st.Get(ctx, info.Key, &store.GetOptions{Most: manifest.MaxSmall})
			if errors.Is(err, store.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if reg, err = manifest.DecodeLock(body, name, true); err != nil {
				return nil, fmt.Errorf("%s: %w", info.Key, err)
			}
			known[info.Key] = reg
		}
		all = append(all, holder(reg, info, s.told(info, before)))
	}
	return all, nil
}
