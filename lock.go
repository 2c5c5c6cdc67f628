package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/mindtrace/registry/internal/lease"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/lock"
)

// NoWait as LockOptions.Timeout: try once.
const NoWait = lease.NoWait

// MinLockTTL is the shortest TTL that a lock may have: below it, slow answers
// and the resolution of stores' clocks would count.
const MinLockTTL = 10 * time.Second

// LockOptions adjust Lock and RLock. nil means the zero value.
type LockOptions struct {
	// TTL is how long the lock outlives a holder that has crashed: 30 s if it
	// is 0, from MinLockTTL to a day. It is renewed after each third.
	TTL time.Duration
	// Timeout is for how long to wait for other holders. 0: as long as the
	// context. NoWait: not at all. A request under way is not cut short by it.
	Timeout time.Duration
	// Why is told to those who wait, up to 1024 bytes.
	Why string

	poll, minTTL time.Duration // shrunk in tests
}

// LockInfo is the state of a lock.
type LockInfo = lock.Status

// LockTimeoutError is an ErrLockTimeout, with who holds the lock.
type LockTimeoutError = lock.TimeoutError

// Lock takes the exclusive lock of a name, which need not be that of an
// object. It waits for other holders; see LockOptions.Timeout.
//
// The context returned is for the work done under the lock: it ends, with the
// cause ErrLockLost, when the lock could not be renewed for two thirds of its
// TTL, before anybody else can have it, or when somebody has broken it. unlock
// has to be called, once; it cancels the context and gives the lock back, and
// returns an error that is ErrLockLost if the lock was lost before.
//
//	ctx, unlock, err := reg.Lock(ctx, "my:model", nil)
//	if err != nil {
//		return err
//	}
//	defer unlock()
//
// A lock spares work; it does not guard data. A process can be stopped at any
// instruction and go on when others have the lock, and no bucket or directory
// refuses what it writes then. Saves are safe without any lock. Whoever
// writes elsewhere hands on LockEpoch, and has older ones refused there.
//
// A context that has the lock already gets it again at once, and unlock does
// nothing then. If it has the shared lock only, that is an error.
//
// Errors: ErrLockTimeout, ErrInvalidName, ErrLockLost (broken while waiting
// for shared holders), and those of the store.
func (r *Registry) Lock(ctx context.Context, name string, opts *LockOptions) (locked context.Context, unlock func() error, err error) {
	return r.lock(ctx, OpLock, name, opts, false)
}

// RLock takes the shared lock of a name: any number have it, while nobody has
// the exclusive one. Everything else is as with Lock. It needs permission to
// write to the registry.
func (r *Registry) RLock(ctx context.Context, name string, opts *LockOptions) (locked context.Context, unlock func() error, err error) {
	return r.lock(ctx, OpRLock, name, opts, true)
}

// lockKey finds a lease in a context. It is per registry, however often that
// is opened.
type lockKey struct{ id, name string }

// lastLockKey finds the innermost lease.
type lastLockKey struct{}

func (r *Registry) lock(ctx context.Context, op Op, name string, opts *LockOptions, shared bool) (context.Context, func() error, error) {
	fail := func(err error) (context.Context, func() error, error) { return ctx, nil, wrap(ctx, op, name, err) }
	if err := manifest.ValidName(name); err != nil {
		return fail(err)
	}
	lopts, err := opts.check()
	if err != nil {
		return fail(err)
	}
	key := lockKey{r.ID(), name}
	if outer, ok := ctx.Value(key).(*lease.Lease); ok {
		if err := outer.Check(); err != nil {
			return fail(err)
		}
		if outer.Shared() && !shared {
			return fail(errors.New("the context has the shared lock; release it before taking the exclusive one, which would wait for it for ever"))
		}
		return ctx, func() error { return nil }, nil
	}
	take := r.ledger.Locks.Lock
	if shared {
		take = r.ledger.Locks.RLock
	}
	l, err := take(ctx, name, lopts)
	if errors.Is(err, fs.ErrPermission) && shared {
		err = fmt.Errorf("a shared lock is a key that has to be written: %w", err)
	}
	if err != nil {
		return fail(err)
	}
	r.ledger.Log.DebugContext(ctx, "locked", "name", name, "shared", shared, "epoch", l.Epoch())
	held := context.WithValue(context.WithValue(l.Context(), key, l), lastLockKey{}, l)
	return held, func() error { return wrap(context.Background(), OpUnlock, name, l.Release()) }, nil
}

func (o *LockOptions) check() (*lease.Options, error) {
	if o == nil {
		return nil, nil
	}
	least := MinLockTTL
	if o.minTTL > 0 {
		least = o.minTTL
	}
	if o.TTL != 0 && (o.TTL < least || o.TTL > manifest.MaxLockTTL) {
		return nil, fmt.Errorf("a lock's TTL is from %s to %s, not %s", least, manifest.MaxLockTTL, o.TTL)
	}
	if len(o.Why) > manifest.MaxLockWhy {
		return nil, fmt.Errorf("the reason for the lock has %d bytes, the limit is %d", len(o.Why), manifest.MaxLockWhy)
	}
	return &lease.Options{TTL: o.TTL, Timeout: o.Timeout, Why: o.Why, Poll: o.poll}, nil
}

// LockEpoch returns the fencing token of the lock that ctx was returned with,
// the innermost one: greater than that of each earlier exclusive holder of
// the name. Under a shared lock it is that of the last exclusive holder, or 0.
// Without a lock it is 0.
func LockEpoch(ctx context.Context) uint64 {
	if l, ok := ctx.Value(lastLockKey{}).(*lease.Lease); ok {
		return l.Epoch()
	}
	return 0
}

// Locks yields the state of every lock that was ever taken exclusively or is
// now shared, in the order of their keys. One that cannot be read comes with an
// *UnreadableError; the others follow. Any other error is the last.
func (r *Registry) Locks(ctx context.Context) iter.Seq2[LockInfo, error] {
	return func(yield func(LockInfo, error) bool) {
		for st, err := range r.ledger.Locks.All(ctx) {
			if err = ledger.ListingError(err); st.Name != "" && ledger.IsOfOneKey(ctx, err) {
				err = ledger.NewUnreadable(manifest.LockKey(st.Name), "", err)
			}
			if !yield(st, wrap(ctx, OpLocks, "", err)) || err != nil && !ledger.IsUnreadable(err) {
				return
			}
		}
	}
}

// BreakLockOptions adjust BreakLock. nil means the zero value.
type BreakLockOptions struct {
	Why string // told to the holders, up to 1024 bytes
}

// BreakLockReport is what BreakLock did.
type BreakLockReport struct {
	Name  string `json:"name"`
	Epoch uint64 `json:"epoch"` // that the lock has now; the next holder's is greater
}

// BreakLock takes the lock of a name away from whoever holds it, exclusively
// and shared, also if it is not expired. Its epoch grows. The holders' contexts
// end when they try to renew it, after a third of its TTL at the latest.
//
// Errors: ErrNotFound if nobody holds it, ErrConflict if it has changed hands
// in the meantime, and those of the store.
func (r *Registry) BreakLock(ctx context.Context, name string, opts *BreakLockOptions) (*BreakLockReport, error) {
	epoch, err := r.ledger.Locks.Break(ctx, name, value(opts).Why)
	switch {
	case errors.Is(err, lease.ErrNotHeld):
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, lease.ErrChanged):
		err = fmt.Errorf("%w: %w", ErrConflict, err)
	case err == nil:
		r.ledger.Log.InfoContext(ctx, "lock broken", "name", name)
	}
	if err != nil {
		return nil, wrap(ctx, OpBreakLock, name, err)
	}
	return &BreakLockReport{name, epoch}, nil
}

// strictly does something under the name's lock if the registry is one with
// strict locking. That the lock was lost is then said in the error.
func (r *Registry) strictly(ctx context.Context, name string, shared bool, do func(context.Context) error) error {
	if r.ledger.Settings.Locking != manifest.LockingStrict {
		return do(ctx)
	}
	op := OpSave
	if shared {
		op = OpLoad
	}
	locked, unlock, err := r.lock(ctx, op, name, &LockOptions{Why: string(op)}, shared)
	if err != nil {
		if e := (*Error)(nil); errors.As(err, &e) {
			err = e.Err // the caller says what it was for
		}
		return err
	}
	err = do(locked)
	if cause := context.Cause(locked); err != nil && errors.Is(cause, ErrLockLost) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if uerr := unlock(); uerr != nil { // what was done stands: it is safe without the lock
		r.ledger.Log.WarnContext(ctx, "unlocking failed", "name", name, "error", uerr)
	}
	return err
}
