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

// Locking is how the saves and loads of a registry use locks. The zero value
// means not at all: they do not need to.
type Locking string

// LockingStrict: a save holds the exclusive lock of the name around its
// commit, a load the shared one until its last byte.
const LockingStrict Locking = "strict"

// LockState is what a lock register says.
type LockState string

// An exclusive register goes between held and free, and is never removed, so
// that its epoch never restarts. A shared one says shared until it is removed.
const (
	LockHeld   LockState = "held"
	LockFree   LockState = "free"
	LockShared LockState = "shared"
)

// Limits of a lock register.
const (
	MaxLockTTL = 24 * time.Hour
	MaxLockWhy = 1024 // bytes
	maxOwner   = 255  // bytes of a host's or user's name
	// MaxEpoch is the highest epoch. A lock that has it cannot be taken any more:
	// see FreshEpoch.
	MaxEpoch = 1<<53 - 1
)

// FreshEpoch is the epoch of a lock whose register is damaged, so that nobody
// knows which it had: the microseconds since 1970, by the store's clock. That
// is more than any lock comes to by changing hands, which takes a write each
// time. So a lock that has MaxEpoch did not come to it like that: it is damaged,
// too.
func FreshEpoch(now time.Time) uint64 {
	return uint64(min(max(now.UnixMicro(), 1), MaxEpoch-1))
}

// Lock is the exclusive lock of a name, or the mark of one of its shared
// holders. Whether it has expired is told by the store's clock: its age is
// more than its TTL.
type Lock struct {
	Head
	Name  string    `json:"name"`
	State LockState `json:"state"`
	// Epoch grows whenever an exclusive lock changes hands or is broken, and
	// starts with 1. A shared register has none.
	Epoch uint64 `json:"epoch,omitzero"`
	// Owner holds the lock; of a free one, it held it last.
	Owner LockOwner `json:"owner,omitzero"`
	// Since is when the owner got it, by the store's clock; zero if that was
	// not known.
	Since time.Time `json:"since,omitzero"`
	TTL   int64     `json:"ttl"` // in milliseconds
	// Renew counts how often the owner has renewed it.
	Renew int64 `json:"renew,omitzero"`
	// BrokenBy took it from its owner without getting it; until somebody does.
	BrokenBy *LockOwner `json:"brokenBy,omitzero"`
}

// LockOwner is who has a lock.
type LockOwner = lock.Owner

// NewLock returns a register with a fresh nonce, to be filled in.
func NewLock(name string, state LockState) *Lock {
	return &Lock{Head: newHead(KindLock), Name: name, State: state}
}

// TTLD returns TTL as a duration.
func (l *Lock) TTLD() time.Duration { return time.Duration(l.TTL) * time.Millisecond }

// LockKey is the key of the exclusive lock of a name.
func LockKey(name string) string { return LocksPrefix + store.Escape(name) + exclusiveKey }

// SharedLocksPrefix begins the keys of all shared holders of a name's lock.
func SharedLocksPrefix(name string) string { return LocksPrefix + store.Escape(name) + sharedDir }

// SharedLockKey is the key of one shared holder, who chose id.
func SharedLockKey(name string, id Nonce) string { return SharedLocksPrefix(name) + string(id) }

// ParseLockKey is the inverse of LockKey, then id is "", and of SharedLockKey.
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

// Encode returns the register's body.
func (l *Lock) Encode() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", l.Name, err)
	}
	return encode(KindLock, l)
}

// Last returns an ErrCorrupt if the lock has the last epoch, after which there
// is none.
func (l *Lock) Last() error {
	if l.Epoch < MaxEpoch {
		return nil
	}
	return fmt.Errorf("lock %s: %w: its epoch is %d, the last there is; mindreg lock break %s starts it anew", l.Name, ErrCorrupt, l.Epoch, l.Name)
}

// DecodeLock reads what Encode wrote, as the exclusive lock of a name or
// a shared holder's.
func DecodeLock(body []byte, name string, shared bool) (*Lock, error) {
	l := new(Lock)
	if err := decode(body, KindLock, l); err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	err := l.check()
	switch {
	case err != nil:
	case l.Name != name:
		err = fmt.Errorf("it is that of %q", l.Name)
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
