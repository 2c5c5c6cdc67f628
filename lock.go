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

// NoWait, as LockOptions.Timeout, tries once and does not wait.
const NoWait = lease.NoWait

// MinLockTTL is the shortest LockOptions.TTL. With a shorter one, slow requests
// and the resolution of the store's clock would end locks that are in use.
const MinLockTTL = 10 * time.Second

// LockOptions adjust Lock and RLock. nil means the zero value.
type LockOptions struct {
	// TTL is how long the lock stays when its holder crashes, from MinLockTTL to a
	// day. 0 means 30 s. The lock is renewed after each third of it.
	TTL time.Duration
	// Timeout is how long to wait for other holders. 0: until ctx ends. NoWait: try
	// once. It does not interrupt a request that is running.
	Timeout time.Duration
	// Why says what the lock is for, in at most 1024 bytes. Processes that wait for
	// the lock see it.
	Why string

	poll, minTTL time.Duration // shrunk in tests
}

// LockInfo describes a lock and its holders.
type LockInfo = lock.Status

// LockTimeoutError is an ErrLockTimeout that describes the holders of the lock.
type LockTimeoutError = lock.TimeoutError

// Lock takes the exclusive lock of a name. The name need not be that of an object.
// Lock waits for other holders, for as long as LockOptions.Timeout says.
//
// Do the work under the lock with the context that Lock returns. It ends with the
// cause ErrLockLost if the lock is broken, or if it could not be renewed for two
// thirds of its TTL, which is before another process can take it. Call unlock
// exactly once: it ends the context and releases the lock. Its error is
// ErrLockLost if the lock was lost before.
//
//	ctx, unlock, err := reg.Lock(ctx, "my:model", nil)
//	if err != nil {
//		return err
//	}
//	defer unlock()
//
// A lock avoids work that should not be done twice. It cannot guard data: a
// process can stop at any instruction and go on when another process has the lock,
// and no bucket or directory refuses what it writes then. Saves are safe without a
// lock. If you write to another system under a lock, pass LockEpoch to it, and let
// it refuse lower numbers than the highest that it has seen.
//
// If ctx comes from a Lock of the same name that is not released, Lock returns at
// once, and unlock does nothing. If ctx comes from an RLock, that is an error.
//
// Errors: ErrLockTimeout, ErrInvalidName, ErrLockLost if the lock is broken while
// Lock waits for shared holders, and those of the store.
func (r *Registry) Lock(ctx context.Context, name string, opts *LockOptions) (locked context.Context, unlock func() error, err error) {
	return r.lock(ctx, OpLock, name, opts, false)
}

// RLock takes the shared lock of a name. It can have any number of holders at once,
// but not while the exclusive lock is held. Everything else is as in Lock. RLock
// needs permission to write to the registry.
func (r *Registry) RLock(ctx context.Context, name string, opts *LockOptions) (locked context.Context, unlock func() error, err error) {
	return r.lock(ctx, OpRLock, name, opts, true)
}

// lockKey is the key of a name's lease in a context. A registry that is opened
// twice has the same ID, and so the same key.
type lockKey struct{ id, name string }

// lastLockKey is the key of the innermost lease in a context.
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
		err = fmt.Errorf("a shared lock writes to the registry: %w", err)
	}
	if err != nil {
		return fail(err)
	}
	r.ledger.Log.DebugContext(ctx, "locked", "name", name, "shared", shared, "epoch", l.Epoch())
	held := context.WithValue(context.WithValue(l.Context(), key, l), lastLockKey{}, l)
	return held, func() error { return wrap(context.Background(), OpUnlock, name, l.Release()) }, nil
}

// check refuses values that are out of bounds.
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

// LockEpoch returns the fencing token of the lock that ctx comes from, the
// innermost one if there are several. It is greater than that of every earlier
// exclusive holder of the name. Under a shared lock it is the token of the last
// exclusive holder, or 0. Without a lock it is 0.
func LockEpoch(ctx context.Context) uint64 {
	if l, ok := ctx.Value(lastLockKey{}).(*lease.Lease); ok {
		return l.Epoch()
	}
	return 0
}

// Locks yields every lock that is shared now or was ever taken exclusively, in the
// order of their keys. If one cannot be read, Locks yields an *UnreadableError and
// goes on. Any other error is the last.
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
	Why string // the reason, in at most 1024 bytes; the holders see it
}

// BreakLockReport says what BreakLock did.
type BreakLockReport struct {
	Name  string `json:"name"`
	Epoch uint64 `json:"epoch"` // the fencing token of the lock now; that of the next holder is greater
}

// BreakLock takes the lock of a name away from all its holders, exclusive and
// shared, even if it has not expired, and increases its fencing token. The context
// of each holder ends at the next renewal, within a third of its TTL.
//
// Errors: ErrNotFound if the lock has no holder, ErrConflict if its holder has
// changed meanwhile, ErrOutcomeUnknown, and those of the store.
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

// strictly runs do, under the name's lock if locking is strict. If do fails and
// the lock was lost, the error says both.
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
			err = e.Err // the caller adds its own operation
		}
		return err
	}
	err = do(locked)
	if cause := context.Cause(locked); err != nil && errors.Is(cause, ErrLockLost) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if uerr := unlock(); uerr != nil { // the work is valid: it does not need the lock to be safe
		r.ledger.Log.WarnContext(ctx, "unlocking failed", "name", name, "error", uerr)
	}
	return err
}
