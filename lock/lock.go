// Package lock describes the locks of a registry: who holds one, and since when.
// TimeoutError is the error of an operation that waited too long for one.
// Registry.Lock takes locks; Registry.Locks lists them.
package lock

import (
	"errors"
	"fmt"
	"time"
)

// Owner says who it is, for people.
type Owner struct {
	Host string `json:"host,omitzero"`
	PID  int    `json:"pid,omitzero"`
	User string `json:"user,omitzero"`
	Why  string `json:"why,omitzero"`
}

// String returns something like "alice@host (process 12): training".
func (o Owner) String() string {
	s := o.User
	if o.Host != "" {
		s += "@" + o.Host
	}
	if s == "" {
		s = "somebody"
	}
	if o.PID != 0 {
		s += fmt.Sprintf(" (process %d)", o.PID)
	}
	if o.Why != "" {
		s += ": " + o.Why
	}
	return s
}

// Holder is a process that holds a lock, or held it until it expired.
type Holder struct {
	Owner
	Since   time.Time `json:"since,omitzero"` // by the store's clock
	TTL     float64   `json:"ttl"`            // in seconds
	Renewed time.Time `json:"renewed"`        // or taken, by the store's clock
	Expired bool      `json:"expired,omitzero"`

	Key    string `json:"-"` // of its register, in the store
	Shared bool   `json:"-"` // it holds the shared lock
}

// String returns something like "held by alice@host (process 12): training,
// since 2025-01-02T03:04:05Z".
func (h Holder) String() string {
	s := "held by " + h.Owner.String()
	if h.Shared {
		s = "shared by " + h.Owner.String()
	}
	if !h.Since.IsZero() {
		s += ", since " + h.Since.Format(time.RFC3339)
	}
	return s
}

// Status is the state of a lock.
type Status struct {
	Name  string `json:"name"`
	State string `json:"state"` // "free", "held", "expired"; "shared" if it has shared holders only
	Epoch uint64 `json:"epoch"` // the fencing token: it grows with each exclusive holder
	// Holder holds the exclusive lock, or let it expire.
	Holder *Holder `json:"holder,omitempty"`
	// BrokenBy broke the lock, if nobody has held it since.
	BrokenBy *Owner `json:"brokenBy,omitempty"`
	// Shared holders, in no particular order.
	Shared []Holder `json:"shared,omitempty"`
}

// Held reports whether the lock has a holder.
func (s Status) Held() bool { return s.State == "held" || s.State == "shared" }

// ErrTimeout: others held the lock for as long as the caller was ready to wait.
// See TimeoutError.
var ErrTimeout = errors.New("timed out waiting for a lock")

// TimeoutError is an ErrTimeout, with one of the holders.
type TimeoutError struct {
	Name   string // of the lock
	Holder Holder
}

// Error implements error.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%v: %s is %s", ErrTimeout, e.Name, e.Holder)
}

// Unwrap returns ErrTimeout.
func (e *TimeoutError) Unwrap() error { return ErrTimeout }
