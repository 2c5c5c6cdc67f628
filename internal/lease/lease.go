package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// ErrLost: the lock was lost before it was released. It was not renewed in
// time, or another process broke it. The lease's context is cancelled with this
// cause.
var ErrLost = errors.New("lock lost")

// releaseTime is how long Release tries.
const releaseTime = 10 * time.Second

// Lease is a lock that this process holds. It is renewed until Release.
type Lease struct {
	s      *Locks
	name   string
	key    string
	shared bool
	epoch  uint64
	ttl    time.Duration

	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // ends the renewals
	kept   sync.WaitGroup

	once sync.Once
	err  error

	mu        sync.Mutex
	reg       *manifest.Lock // as it was written last
	token     store.Token
	undecided bool      // a renewal may have been applied
	taken     bool      // the register no longer belongs to this lease
	renewed   time.Time // when the latest successful renewal was sent, by the local clock
}

// newLease returns the lease of a register that a request sent at sent has
// written, and begins to renew it.
func (s *Locks) newLease(ctx context.Context, key string, reg *manifest.Lock, token store.Token, sent time.Time) *Lease {
	l := &Lease{
		s: s, name: reg.Name, key: key, shared: reg.State == manifest.LockShared, epoch: reg.Epoch, ttl: reg.TTLD(),
		reg: reg, token: token, renewed: sent,
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.kept.Go(func() { l.watch(keep) })
	l.kept.Go(func() { l.keep(keep) })
	return l
}

// Context returns the context of the lease. It is cancelled with the cause
// ErrLost when the lease is lost, and also when the lease is released or the
// parent context ends.
func (l *Lease) Context() context.Context { return l.ctx }

// Epoch returns the fencing token: greater than that of every earlier exclusive
// holder. A shared lease has the epoch of the last exclusive holder before it,
// or 0.
func (l *Lease) Epoch() uint64 { return l.epoch }

// Shared reports whether the lease is a shared one.
func (l *Lease) Shared() bool { return l.shared }

// Check returns ErrLost if the lease is lost. It also notices a loss while the
// process was suspended. It makes no request.
func (l *Lease) Check() error {
	if left := l.left(); left <= 0 {
		l.lose(fmt.Errorf("the lock was not renewed for %s", (l.limit() - left).Round(time.Millisecond)))
	}
	if err := context.Cause(l.ctx); errors.Is(err, ErrLost) {
		return err
	}
	return nil
}

// limit returns how long the lease counts as held without a renewal, by the
// holder's clock. It is two thirds of the TTL. Others wait for the whole TTL,
// by the store's clock; the rest is the margin for differences of the clocks.
func (l *Lease) limit() time.Duration { return l.ttl * 2 / 3 }

// left returns how much of the limit is left.
func (l *Lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit() - wrapstore.Elapsed(l.renewed, l.s.now())
}

// lose cancels the lease's context.
func (l *Lease) lose(why error) {
	l.cancel(fmt.Errorf("%w: %s: %w", ErrLost, l.name, why))
	l.stop()
}

// watch cancels the lease in time, also if a renewal hangs. It reads the clock
// often, since a timer stands still while the machine sleeps.
func (l *Lease) watch(ctx context.Context) {
	for l.Check() == nil {
		if backoff.Sleep(ctx, min(l.left(), l.ttl/30, time.Second)) != nil {
			return
		}
	}
}

// keep renews the lease after each third of its TTL.
func (l *Lease) keep(ctx context.Context) {
	for {
		l.mu.Lock()
		wait := l.ttl/3 - wrapstore.Elapsed(l.renewed, l.s.now())
		l.mu.Unlock()
		if backoff.Sleep(ctx, wait) != nil || !l.renew(ctx) {
			return
		}
	}
}

// renew renews the lease, and reports whether the lease continues.
func (l *Lease) renew(ctx context.Context) bool {
	l.mu.Lock()
	next, match, sent := *l.reg, l.token, l.s.now()
	l.undecided = true
	l.mu.Unlock()
	next.Supersede()
	next.Renew++
	info, err := l.s.put(ctx, l.key, &next, match, l.ttl/6)
	switch {
	case errors.Is(err, errConflict):
		l.mu.Lock()
		l.undecided, l.taken = false, true
		l.mu.Unlock()
		l.lose(l.s.whoTook(ctx, l))
		return false
	case err != nil:
		return false // no time was left, or the lease was released
	}
	if l.Check() != nil {
		return false // the answer came after the limit
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reg, l.token, l.renewed, l.undecided = &next, info.Token, sent, false
	return true
}

// Release ends the lease: its context first, then the lock. It returns nil if
// the lock was held until now, ErrLost if it was lost before, and another error
// if the store could not be reached; then the lock ends with its TTL. Later
// calls return the same result.
func (l *Lease) Release() error {
	l.once.Do(func() {
		lost := l.Check()
		l.cancel(nil)
		l.stop()
		l.kept.Wait()
		if l.taken {
			l.err = lost
			return
		}
		limit := releaseTime
		if lost != nil {
			limit /= 10 // the release only saves others a wait
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), limit)
		defer cancel()
		free := l.free
		if l.shared {
			free = l.remove
		}
		if l.err = free(ctx); lost != nil {
			l.err = lost
		}
	})
	return l.err
}

// free marks the register of an exclusive lock as free.
func (l *Lease) free(ctx context.Context) error {
	for {
		if l.undecided { // the register may be in one of two states
			at, err := l.s.look(ctx, l.name)
			if err != nil {
				return err
			}
			if at.reg == nil || at.reg.State != manifest.LockHeld || at.reg.Epoch != l.epoch {
				return fmt.Errorf("%w: %s: %w", ErrLost, l.name, l.s.whoTook(ctx, l))
			}
			l.reg, l.token = at.reg, at.info.Token
		}
		next := *l.reg
		next.Supersede()
		next.State, next.Renew = manifest.LockFree, 0
		info, err := l.s.put(ctx, l.key, &next, l.token, releaseTime/4)
		switch {
		case err == nil:
			l.s.remember(&next, info)
			return nil
		case errors.Is(err, errReplaced):
			return nil // it was freed, and another holder has it now
		case errors.Is(err, errConflict) && l.undecided:
			continue // the late renewal was applied meanwhile; it cannot be applied twice
		case errors.Is(err, errConflict):
			return fmt.Errorf("%w: %s: %w", ErrLost, l.name, l.s.whoTook(ctx, l))
		}
		return err
	}
}

// remove deletes the key of a shared holder.
func (l *Lease) remove(ctx context.Context) error {
	for b := between(); ; {
		err := l.s.st.Delete(ctx, l.key)
		if err == nil || !b.Wait(ctx) {
			return err
		}
	}
}

// whoTook returns an error that says what happened to a lost lock.
func (s *Locks) whoTook(ctx context.Context, l *Lease) error {
	if l.shared {
		return errors.New("another process broke it, or found it expired")
	}
	at, err := s.look(ctx, l.name)
	switch {
	case err != nil:
		return errors.New("somebody broke it")
	case at.reg != nil && at.reg.BrokenBy != nil:
		return fmt.Errorf("broken by %s", at.reg.BrokenBy)
	case at.reg != nil && at.reg.State == manifest.LockHeld:
		return fmt.Errorf("now held by %s", at.reg.Owner)
	}
	return errors.New("somebody broke it")
}
