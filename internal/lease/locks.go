package lease

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// defaultTTL is how long a lock outlives a holder that has crashed.
const defaultTTL = 30 * time.Second

// NoWait as a timeout: try once.
const NoWait time.Duration = -1

// Options adjust taking a lock. nil means the zero value.
type Options struct {
	TTL     time.Duration // 0: defaultTTL; at most manifest.MaxLockTTL
	Timeout time.Duration // how long to wait for other holders; 0: as long as the context; NoWait: not at all
	Why     string        // shown to processes that wait; at most manifest.MaxLockWhy bytes
	Poll    time.Duration // first wait between two looks at a held lock, later up to ten times that; 0: a second
}

func (o *Options) defaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.TTL == 0 {
		d.TTL = defaultTTL
	}
	if d.Poll == 0 {
		d.Poll = time.Second
	}
	return d
}

// Locks are the locks in a store. They may be used by many goroutines.
type Locks struct {
	st    store.Store
	clock *wrapstore.Clock
	now   func() time.Time // the local clock
	owner manifest.LockOwner

	silent atomic.Bool // the store's answers do not include its time

	mu    sync.Mutex
	freed map[string]state // registers as this process released them
}

// New returns the locks in st. clock follows the store's clock, see
// wrapstore.ObserveClock.
func New(st store.Store, clock *wrapstore.Clock) *Locks {
	return &Locks{st: st, clock: clock, now: time.Now, owner: self(), freed: map[string]state{}}
}

// self returns the owner that this process writes into its registers.
func self() manifest.LockOwner {
	clean := func(s string) string {
		s = strings.ToValidUTF8(s, "?")
		return strings.ToValidUTF8(s[:min(len(s), 100)], "")
	}
	o := manifest.LockOwner{PID: os.Getpid()}
	if host, err := os.Hostname(); err == nil {
		o.Host = clean(host)
	}
	if u, err := user.Current(); err == nil {
		o.User = clean(u.Username)
	}
	return o
}

// state is the exclusive register of a name, as it was read.
type state struct {
	reg  *manifest.Lock // nil: the register does not exist
	info store.Info
	now  time.Time // the store's clock, at the answer or before; zero if unknown
}

// live reports whether the lock is held and has not expired.
func (a state) live() bool {
	return a.reg != nil && a.reg.State == manifest.LockHeld && !expired(a.reg, a.info, a.now)
}

// expired reports whether a lease has ended without a release. now is the
// store's clock at its answer. Both times are the store's, since with the clock
// of a client that runs fast every lease would look expired (docs/attacks.md,
// A36).
func expired(reg *manifest.Lock, info store.Info, now time.Time) bool {
	return !now.IsZero() && now.Sub(info.Modified) > reg.TTLD()
}

// look reads the exclusive register of a name.
func (s *Locks) look(ctx context.Context, name string) (state, error) {
	before, err := s.before(ctx)
	if err != nil {
		return state{}, err
	}
	body, info, err := s.st.Get(ctx, manifest.LockKey(name), &store.GetOptions{Most: manifest.MaxSmall})
	if errors.Is(err, store.ErrNotExist) {
		return state{info: info, now: s.told(info, before)}, nil
	}
	if err != nil {
		return state{}, err
	}
	reg, err := manifest.DecodeLock(body, name, false)
	if err != nil {
		return state{info: info, now: s.told(info, before)}, err
	}
	return state{reg, info, s.told(info, before)}, nil
}

// before reads the clock of a store whose answers do not include the time. It
// has to be called before the request. If the clock were read afterwards,
// a lease that is renewed in between would look older than it is.
func (s *Locks) before(ctx context.Context) (time.Time, error) {
	if !s.silent.Load() {
		return time.Time{}, nil
	}
	return s.clock.Fresh(ctx, s.st, 0)
}

// told returns the store's clock at an answer, or the one read before it.
func (s *Locks) told(info store.Info, before time.Time) time.Time {
	if !info.Now.IsZero() {
		return info.Now
	}
	s.silent.Store(true) // the next look reads the clock first
	return before
}

// maxFreed bounds the memory for registers that were released.
const maxFreed = 1024

// remember keeps a register that was released. The next Lock of the name in
// this process need not read it. If another process has changed it since, the
// swap fails.
func (s *Locks) remember(reg *manifest.Lock, info store.Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.freed) >= maxFreed {
		clear(s.freed)
	}
	s.freed[reg.Name] = state{reg: reg, info: info}
}

// recall returns the register that remember has kept, and forgets it.
func (s *Locks) recall(name string) (state, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.freed[name]
	delete(s.freed, name)
	return a, ok
}

// sign fills in the fields of the register of a new holder. If the store's time
// is not known yet, it makes a request.
func (s *Locks) sign(ctx context.Context, reg *manifest.Lock, o Options) error {
	reg.Owner = s.owner
	reg.Owner.Why = o.Why
	reg.TTL = o.TTL.Milliseconds()
	if err := manifest.ValidName(reg.Name); err != nil {
		return err
	}
	if _, err := reg.Encode(); err != nil {
		return err
	}
	now := s.clock.Now()
	if now.IsZero() {
		var err error
		if now, err = s.clock.Fresh(ctx, s.st, time.Minute); err != nil {
			return err
		}
	}
	reg.Since = now.UTC().Truncate(time.Millisecond)
	return nil
}

// Lock takes the exclusive lock of a name. It waits until the holder has
// released it or has let it expire, and then until all shared holders are gone.
// While it waits for those, no new shared holder gets the lock.
//
// Without other holders it costs a read, a write and a listing; the read is
// saved if this process was the last holder. Errors: ErrTimeout; ErrLost (the
// lock was broken while it waited for shared holders); store.ErrUnknown (the
// lock may be held now, until its TTL); and others of the store.
func (s *Locks) Lock(ctx context.Context, name string, opts *Options) (*Lease, error) {
	o := opts.defaults()
	w := newWaiter(o)
	l, err := s.take(ctx, name, o, w)
	if err != nil {
		return nil, err
	}
	if err := s.drain(l, w); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// take writes this process as the holder into the exclusive register.
func (s *Locks) take(ctx context.Context, name string, o Options, w *waiter) (*Lease, error) {
	if err := s.sign(ctx, manifest.NewLock(name, manifest.LockShared), o); err != nil {
		return nil, err // bad options are found before any request
	}
	at, known := s.recall(name)
	for b := race(); ; {
		if !known {
			var err error
			if at, err = s.look(ctx, name); err != nil {
				return nil, err
			}
			if at.live() {
				if err := w.wait(ctx, name, holder(at.reg, at.info, at.now)); err != nil {
					return nil, err
				}
				continue
			}
		}
		known = false
		if at.reg != nil && at.reg.Last() != nil {
			return nil, at.reg.Last()
		}
		reg, match := manifest.NewLock(name, manifest.LockHeld), store.Absent
		if at.reg != nil {
			reg.Head = at.reg.Head
			reg.Supersede()
			reg.Epoch, match = at.reg.Epoch, at.info.Token
		}
		reg.Epoch++
		if err := s.sign(ctx, reg, o); err != nil {
			return nil, err
		}
		sent := s.now()
		info, err := s.put(ctx, manifest.LockKey(name), reg, match, 0)
		switch {
		case err == nil:
			return s.newLease(ctx, manifest.LockKey(name), reg, info.Token, sent), nil
		case !errors.Is(err, errConflict):
			s.abandon(ctx, reg, err)
			return nil, err
		}
		// Another process was faster.
		if !b.Wait(ctx) {
			return nil, context.Cause(ctx)
		}
	}
}

// abandon frees a lock that may have been taken, if a look at the register
// shows that. Otherwise the lock ends with its TTL.
func (s *Locks) abandon(ctx context.Context, reg *manifest.Lock, err error) {
	if !errors.Is(err, store.ErrUnknown) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	at, err := s.look(ctx, reg.Name)
	if err != nil || at.reg == nil || at.reg.Nonce != reg.Nonce {
		return
	}
	next := *at.reg
	next.Supersede()
	next.State = manifest.LockFree
	s.put(ctx, manifest.LockKey(reg.Name), &next, at.info.Token, time.Second)
}

// drain waits until the shared holders that came before this lease are gone.
func (s *Locks) drain(l *Lease, w *waiter) error {
	known := map[string]*manifest.Lock{}
	for {
		shared, err := s.shared(l.ctx, l.name, known)
		if lost := l.Check(); lost != nil {
			err = lost
		}
		if err != nil {
			return err
		}
		i := 0
		for i < len(shared) && shared[i].Expired {
			i++
		}
		if i == len(shared) {
			return s.bury(l.ctx, shared)
		}
		if err := w.wait(l.ctx, l.name, shared[i]); err != nil {
			return err
		}
	}
}

// bury removes the keys of expired shared holders. Those have lost their
// leases: a late renewal is refused.
func (s *Locks) bury(ctx context.Context, expired []Holder) error {
	for _, h := range expired {
		if err := s.st.Delete(ctx, h.Key); err != nil {
			return fmt.Errorf("removing an expired shared lock: %w", err)
		}
	}
	return nil
}
