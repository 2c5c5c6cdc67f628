package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/chunk"
	"github.com/mindtrace/registry/lease"
	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
)

// Errors of this package, to be matched with errors.Is. Errors of the
// operating system and of package context keep their own identity: a path
// that does not exist is fs.ErrNotExist, a refused access fs.ErrPermission,
// a cancellation context.Canceled.
var (
	// ErrNotFound: no such object or version.
	ErrNotFound = errors.New("not found")
	// ErrDeleted: the version was deleted. It is also ErrNotFound.
	ErrDeleted error = deletedError{}
	// ErrExists: the version exists, or existed: numbers are never reused.
	ErrExists = errors.New("already exists")
	// ErrConflict: somebody else changed it in the meantime. Nothing was
	// changed by this call.
	ErrConflict = errors.New("changed by somebody else")
	// ErrInvalidName: not a name that an object can have.
	ErrInvalidName = manifest.ErrInvalidName
	// ErrInvalidVersion: not a version, or not allowed here.
	ErrInvalidVersion = manifest.ErrInvalidVersion
	// ErrInvalidRef: not a reference of the form name or name@selector.
	ErrInvalidRef = errors.New("invalid reference")
	// ErrInvalidTag: not a tag that a version can have.
	ErrInvalidTag = manifest.ErrInvalidTag
	// ErrTagged: the version has tags, and is not deleted unless WithForce.
	ErrTagged = errors.New("is tagged")
	// ErrDangling: a tag points at a version that was deleted. Deleting
	// a version removes its tags; this delete was interrupted. It is also
	// ErrNotFound.
	ErrDangling = errors.New("dangling tag")
	// ErrNoRegistry: there is no registry at the location.
	ErrNoRegistry = errors.New("no registry here")
	// ErrNotEmpty: the location holds something that is not a registry.
	ErrNotEmpty = errors.New("holds something that is not a registry")
	// ErrNewer: it was written by a newer version of this program.
	ErrNewer = manifest.ErrNewer
	// ErrIntegrity: stored data is damaged or missing.
	ErrIntegrity = errors.New("integrity violated")
	// ErrOffline: the registry may not be asked, and the cache does not have it.
	ErrOffline = cache.ErrOffline
	// ErrNoMaterializer: nothing is known that could save or load the type.
	ErrNoMaterializer = material.ErrNone
	// ErrType: the value or the target has the wrong type.
	ErrType = material.ErrType
	// ErrTooSlow: a save took so long that its data may have been collected.
	// It was undone; save again.
	ErrTooSlow = errors.New("took too long to be safe")
	// ErrOutcomeUnknown: the store did not say whether the last step of the
	// operation was applied. It may take effect, now or later; look before
	// you repeat it. See OutcomeError.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrLockTimeout: others had the lock for as long as was waited. See
	// LockTimeoutError.
	ErrLockTimeout = lease.ErrTimeout
	// ErrLockLost: a lock was not renewed in time, or somebody broke it. The
	// cause of the end of the context that Lock returned.
	ErrLockLost = lease.ErrLost
)

type deletedError struct{}

func (deletedError) Error() string        { return "deleted" }
func (deletedError) Is(target error) bool { return target == ErrNotFound }

// Error is how every method of a Registry fails: what was attempted, on what,
// and why.
type Error struct {
	Op  string // "save", "load", ...
	Ref string // name or reference, may be empty
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Ref == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + " " + e.Ref + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeError is an ErrOutcomeUnknown: the register that was to be written,
// and the nonce to look for in it.
type OutcomeError struct {
	Key   string
	Nonce manifest.Nonce
	Err   error // why it is unknown
}

// Error implements error.
func (e *OutcomeError) Error() string {
	return fmt.Sprintf("%v: writing %s with nonce %s: %v", ErrOutcomeUnknown, e.Key, e.Nonce, e.Err)
}

// Unwrap makes the error ErrOutcomeUnknown and its cause.
func (e *OutcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

// wrap gives an error its operation and reference, once, and the errors of
// the layers below their names here. io.EOF and the errors of contexts stay
// recognizable through it.
func wrap(op, ref string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	switch {
	case errors.Is(err, ErrIntegrity):
	case damaged(err):
		err = fmt.Errorf("%w: %w", ErrIntegrity, err)
	case errors.Is(err, store.ErrUnknown) && !errors.Is(err, ErrOutcomeUnknown) && errors.Is(err, context.Canceled):
		err = fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return &Error{Op: op, Ref: ref, Err: err}
}

// damaged tells damage of what is stored from other failures.
func damaged(err error) bool {
	return errors.Is(err, chunk.ErrCorrupt) || errors.Is(err, chunk.ErrMissing) || errors.Is(err, manifest.ErrCorrupt) ||
		errors.Is(err, store.ErrTooLarge) || errors.Is(err, ErrIntegrity)
}

// notFound tells an absent key from other failures.
func notFound(err error) bool { return errors.Is(err, fs.ErrNotExist) }
