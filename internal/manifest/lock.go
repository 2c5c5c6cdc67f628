package manifest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mindtrace/registry/lock"
	"github.com/mindtrace/registry/store"
)

// KindLock is the kind of lock registers, exclusive and shared.
const KindLock = "lock"

// LocksPrefix begins the keys of all locks.
const LocksPrefix = "locks/"

const (
	exclusiveKey = "/x.json"
	sharedDir    = "/s/"
)

// Locking says how the saves and loads of a registry use locks. With the zero
// value they use none: they are safe without.
type Locking string

// LockingStrict: a save holds the exclusive lock of the name while it commits, and
// a load holds the shared one until its last byte.
const LockingStrict Locking = "strict"

// LockState is the state of a lock register.
type LockState string

// The states of locks. An exclusive register is held or free. It is never removed,
// so that its epoch never starts again. A shared register is shared until it is
// removed.
const (
	LockHeld   LockState = "held"
	LockFree   LockState = "free"
	LockShared LockState = "shared"
)

// Limits of a lock register.
const (
	MaxLockTTL = 24 * time.Hour
	MaxLockWhy = 1024 // length of a reason, in bytes
	maxOwner   = 255  // length of a host's or user's name, in bytes
	// MaxEpoch is the highest epoch. A lock that has it cannot be taken: see
	// FreshEpoch.
	MaxEpoch = 1<<53 - 1
)

// FreshEpoch returns the epoch for a lock whose register is damaged, so that its
// epoch is not known: the microseconds since 1970, by the store's clock. A lock
// that changes hands once in a write cannot have reached that epoch. For the same
// reason, a register with MaxEpoch is damaged.
func FreshEpoch(now time.Time) uint64 {
	return uint64(min(max(now.UnixMicro(), 1), MaxEpoch-1))
}

// Lock is the register of a name's exclusive lock, or of one shared holder. It has
// expired if its age, by the store's clock, is more than its TTL.
type Lock struct {
	Head
	Name  string    `json:"name"`
	State LockState `json:"state"`
	// Epoch grows whenever an exclusive lock changes hands or is broken. It starts
	// with 1. A shared register has 0.
	Epoch uint64 `json:"epoch,omitzero"`
	// Owner is the holder; of a free lock, the last one.
	Owner LockOwner `json:"owner,omitzero"`
	// Since is when the owner got the lock, by the store's clock; zero if that is
	// not known.
	Since time.Time `json:"since,omitzero"`
	TTL   int64     `json:"ttl"` // in milliseconds
	// Renew is how often the owner has renewed the lock.
	Renew int64 `json:"renew,omitzero"`
	// BrokenBy has broken the lock. It is nil again once somebody takes it.
	BrokenBy *LockOwner `json:"brokenBy,omitzero"`
}

// LockOwner describes a holder, for people to read.
type LockOwner = lock.Owner

// NewLock returns a register with a fresh nonce. The caller fills in the rest.
func NewLock(name string, state LockState) *Lock {
	return &Lock{Head: newHead(KindLock), Name: name, State: state}
}

// TTLD returns TTL as a duration.
func (l *Lock) TTLD() time.Duration { return time.Duration(l.TTL) * time.Millisecond }

// LockKey returns the key of the exclusive lock of a name.
func LockKey(name string) string { return LocksPrefix + store.Escape(name) + exclusiveKey }

// SharedLocksPrefix returns the prefix of the keys of all shared holders of a
// name's lock.
func SharedLocksPrefix(name string) string { return LocksPrefix + store.Escape(name) + sharedDir }

// SharedLockKey returns the key of one shared holder, which has chosen id.
func SharedLockKey(name string, id Nonce) string { return SharedLocksPrefix(name) + string(id) }

// ParseLockKey is the inverse of LockKey (id is "") and of SharedLockKey. Every
// other key is an error.
func ParseLockKey(key string) (name string, id Nonce, err error) {
	rest, ok := strings.CutPrefix(key, LocksPrefix)
	seg, exclusive := strings.CutSuffix(rest, exclusiveKey)
	if !exclusive {
		var last string
		seg, last, _ = strings.Cut(rest, sharedDir)
		id = Nonce(last)
	}
	if !ok || !exclusive && !id.valid() {
		return "", "", fmt.Errorf("key %q is not that of a lock", key)
	}
	if name, err = store.Unescape(seg); err != nil {
		return "", "", err
	}
	if err := ValidName(name); err != nil {
		return "", "", fmt.Errorf("key %q: %w", key, err)
	}
	return name, id, nil
}

// Encode returns the body of the register.
func (l *Lock) Encode() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", l.Name, err)
	}
	return encode(KindLock, l)
}

// Last returns an ErrCorrupt if the lock has MaxEpoch, so that its next holder
// could not have a greater one.
func (l *Lock) Last() error {
	if l.Epoch < MaxEpoch {
		return nil
	}
	return fmt.Errorf("lock %s: %w: its epoch is %d, which is the last one; mindreg lock break %s starts it anew", l.Name, ErrCorrupt, l.Epoch, l.Name)
}

// DecodeLock reads what Encode wrote. It is an error unless the register is of the
// name, and shared or exclusive as the caller says.
func DecodeLock(body []byte, name string, shared bool) (*Lock, error) {
	l := new(Lock)
	if err := decode(body, KindLock, l); err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	err := l.check()
	switch {
	case err != nil:
	case l.Name != name:
		err = fmt.Errorf("it is the register of %q", l.Name)
	case (l.State == LockShared) != shared:
		err = fmt.Errorf("state %q at this key", l.State)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w: %v", name, ErrCorrupt, err)
	}
	return l, nil
}

func (l *Lock) check() error {
	if err := ValidName(l.Name); err != nil {
		return err
	}
	switch l.State {
	case LockHeld, LockFree:
		if l.Epoch < 1 || l.Epoch > MaxEpoch {
			return fmt.Errorf("bad epoch %d", l.Epoch)
		}
	case LockShared:
		if l.Epoch != 0 {
			return fmt.Errorf("epoch %d in a shared lock", l.Epoch)
		}
	default:
		return fmt.Errorf("unknown state %q", l.State)
	}
	switch {
	case l.TTL < 1 || l.TTL > MaxLockTTL.Milliseconds():
		return fmt.Errorf("ttl of %d ms, the limit is %d", l.TTL, MaxLockTTL.Milliseconds())
	case l.Renew < 0 || l.Renew > MaxEpoch:
		return fmt.Errorf("renewed %d times", l.Renew)
	case l.BrokenBy != nil && l.State != LockFree:
		return errors.New("broken, but not free")
	case l.BrokenBy != nil && checkOwner(l.BrokenBy) != nil:
		return checkOwner(l.BrokenBy)
	}
	return checkOwner(&l.Owner)
}

// checkOwner refuses what no register of a lock may hold.
func checkOwner(o *LockOwner) error {
	switch {
	case len(o.Host) > maxOwner || len(o.User) > maxOwner:
		return fmt.Errorf("name of an owner of more than %d bytes", maxOwner)
	case len(o.Why) > MaxLockWhy:
		return fmt.Errorf("reason of %d bytes, the limit is %d", len(o.Why), MaxLockWhy)
	case o.PID < 0 || o.PID > 1<<31-1:
		return fmt.Errorf("process %d", o.PID)
	}
	return nil
}
