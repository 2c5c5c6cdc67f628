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

// ErrLost: the lock was lost before it was released. It could not be renewed
// in time, or somebody broke it. It is the cause of the cancellation of the
// lease's context.
var ErrLost = errors.New("lock lost")

// releaseTime is how long Release tries.
const releaseTime = 10 * time.Second

// Lease is a lock that is held. It is renewed until Release.
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
	taken     bool      // the register is not ours any more
	renewed   time.Time // when the latest that succeeded was sent, by the local clock
}

// newLease begins to renew what was written by a request sent at sent.
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

// Context is cancelled when the lease is lost, with the cause ErrLost, and
// when it is released or its parent is cancelled.
func (l *Lease) Context() context.Context { return l.ctx }

// Epoch is the fencing token: greater than that of every earlier exclusive
// holder. A shared lease has that of the last one before it, or 0.
func (l *Lease) Epoch() uint64 { return l.epoch }

// Shared reports whether the lease is a shared one.
func (l *Lease) Shared() bool { return l.shared }

// Check returns an error that is ErrLost if the lease is lost, also where the
// process has been asleep and nothing has noticed yet. It makes no request.
func (l *Lease) Check() error {
	if left := l.left(); left <= 0 {
		l.lose(fmt.Errorf("it was not renewed for %s", (l.limit() - left).Round(time.Millisecond)))
	}
	if err := context.Cause(l.ctx); errors.Is(err, ErrLost) {
		return err
	}
	return nil
}

// limit is how long a lease is good without a renewal, by its holder's clock:
// less than others wait by the store's, by a margin for whatever differs.
func (l *Lease) limit() time.Duration { return l.ttl * 2 / 3 }

// left is how much of that is left.
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

// watch cancels the lease in time, whatever becomes of the renewals. It looks
// at the clock often, since a timer stands still while the machine sleeps.
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

// renew reports whether the lease goes on.
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
		return false // there was no time left, or it was released
	}
	if l.Check() != nil {
		return false // the answer came too late
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reg, l.token, l.renewed, l.undecided = &next, info.Token, sent, false
	return true
}

// Release ends the lease: its context first, then the lock. It returns nil if
// the lock was held until now, an error that is ErrLost if it had been lost,
// and another if the store could not be told; the lock then ends with its TTL.
// Calls after the first return the same.
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
			limit /= 10 // it is only for those who wait
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

// free gives an exclusive lock back.
func (l *Lease) free(ctx context.Context) error {
	for {
		if l.undecided { // which of two states is ours?
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
			return nil // it was free, and somebody has it now
		case errors.Is(err, errConflict) && l.undecided:
			continue // the renewal has landed in between; it cannot do so again
		case errors.Is(err, errConflict):
			return fmt.Errorf("%w: %s: %w", ErrLost, l.name, l.s.whoTook(ctx, l))
		}
		return err
	}
}

// remove removes a shared holder's key.
func (l *Lease) remove(ctx context.Context) error {
	for b := between(); ; {
		err := l.s.st.Delete(ctx, l.key)
		if err == nil || !b.Wait(ctx) {
			return err
		}
	}
}

// whoTook says what became of a lock that is no longer the lease's.
func (s *Locks) whoTook(ctx context.Context, l *Lease) error {
	if l.shared {
		return errors.New("somebody broke it, or saw it expired")
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
