package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/lease"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/version"
)

// Errors of this package. Match them with errors.Is. Errors of the operating
// system and of package context keep their identity: fs.ErrNotExist for a path
// that does not exist, fs.ErrPermission for a refused access, context.Canceled,
// context.DeadlineExceeded, and also the cause that was given to
// context.WithCancelCause and the like.
var (
	// ErrNotFound: the object, version or tag does not exist.
	ErrNotFound = fault.ErrNotFound
	// ErrDeleted: the version was deleted. It is also ErrNotFound.
	ErrDeleted = fault.ErrDeleted
	// ErrPurged: the version was deleted for good: by Purge, or too long ago to
	// be brought back. It is also ErrDeleted and ErrNotFound.
	ErrPurged = fault.ErrPurged
	// ErrExists: the version exists or existed, and numbers are never used again.
	// Or a registry exists, of another kind than Options asks for.
	ErrExists = fault.ErrExists
	// ErrConflict: a condition did not hold, or another process changed the same
	// thing first. This call changed nothing.
	ErrConflict = fault.ErrConflict
	// ErrInvalidName: the name is not valid for an object.
	ErrInvalidName = manifest.ErrInvalidName
	// ErrInvalidVersion: the version is not valid, or not allowed here.
	ErrInvalidVersion = version.ErrInvalid
	// ErrInvalidRef: the reference does not have the form name or name@selector,
	// or the method needs another kind of reference.
	ErrInvalidRef = fault.ErrInvalidRef
	// ErrInvalidTag: the tag is not valid.
	ErrInvalidTag = manifest.ErrInvalidTag
	// ErrTagged: the version has tags, and Force is needed to delete it.
	ErrTagged = fault.ErrTagged
	// ErrDangling: the tag points at a version that was deleted. A delete removes
	// the tags of a version, and this delete was interrupted. It is also
	// ErrNotFound.
	ErrDangling = fault.ErrDangling
	// ErrNoRegistry: there is no registry at the location, or not the one that was
	// opened.
	ErrNoRegistry = fault.ErrNoRegistry
	// ErrNotEmpty: the location holds something that is not a registry.
	ErrNotEmpty = fault.ErrNotEmpty
	// ErrNewer: a newer version of mindreg wrote the register or the settings, and
	// this one cannot read them.
	ErrNewer = manifest.ErrNewer
	// ErrIntegrity: stored data is damaged or missing.
	ErrIntegrity = fault.ErrIntegrity
	// ErrTooLarge: the object is larger than WithMaxSize or MaxSize allows, or a
	// file is too large for the memory of this machine.
	ErrTooLarge = fault.ErrTooLarge
	// ErrNoSpace: the disk of the destination, or of the cache, is full.
	ErrNoSpace = fault.ErrNoSpace
	// ErrOffline: with Options.Offline only the cache is asked, and it does not
	// have what is needed.
	ErrOffline = cachestore.ErrOffline
	// ErrNoMaterializer: no known materializer can save or load the type.
	ErrNoMaterializer = material.ErrNone
	// ErrType: the value or the target has the wrong type.
	ErrType = material.ErrType
	// ErrTooSlow: the save took so long that garbage collection may have freed its
	// data. It was undone; save again.
	ErrTooSlow = fault.ErrTooSlow
	// ErrOutcomeUnknown: the store did not say whether it applied the last step of
	// the operation. It may take effect, now or later. Look before you repeat the
	// operation. See OutcomeError.
	ErrOutcomeUnknown = fault.ErrOutcomeUnknown
	// ErrUnsafeStore: the store does not keep its contract, and writing to it could
	// lose data. Nothing was written.
	ErrUnsafeStore = fault.ErrUnsafeStore
	// ErrLockTimeout: other holders kept the lock until LockOptions.Timeout was
	// over. See LockTimeoutError.
	ErrLockTimeout = lease.ErrTimeout
	// ErrLockLost: the lock was not renewed in time, or it was broken. It is the
	// cause with which the context that Lock returned ends.
	ErrLockLost = lease.ErrLost
)

// Error types with details. Match them with errors.As.
type (
	// OutcomeError is an ErrOutcomeUnknown. It has the key of the register that was
	// written, and the nonce to look for in it.
	OutcomeError = fault.OutcomeError
	// UnreadableError says which register or directory of a registry cannot be
	// read. Listings yield it and go on.
	UnreadableError = fault.UnreadableError
	// TagError says that a version was saved, but not all of its tags were set.
	TagError = fault.TagError
	// SideError says which of the two registries of a Copy failed.
	SideError = fault.SideError
	// Side is one of the two registries of a Copy: Source or Destination.
	Side = fault.Side
)

// The two registries of a Copy, in a SideError.
const (
	Source      = fault.Source
	Destination = fault.Destination
)

// Error is the error of every function of this package and every method of a
// Registry. It says what was attempted, on what, and why it failed. Methods of an
// Object and its files fail with an *fs.PathError, as package io/fs asks for.
type Error struct {
	Op  Op     // what was attempted
	Ref string // the name or reference that was given; may be empty
	Err error  // the reason
}

// Error implements error.
func (e *Error) Error() string {
	if e.Ref == "" {
		return string(e.Op) + ": " + e.Err.Error()
	}
	return string(e.Op) + " " + e.Ref + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// wrap makes an error an *Error, once, and gives the errors of the layers below
// their names in this package. It is the last step of every verb.
func wrap(ctx context.Context, op Op, ref string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { // from another verb that this one calls
		return &Error{Op: e.Op, Ref: e.Ref, Err: ended(ctx, e.Err)}
	}
	if pe, ok := err.(*fs.PathError); ok { // from a file of an Object, which has an Error in it
		if e, ok := pe.Err.(*Error); ok {
			err = &fs.PathError{Op: pe.Op, Path: pe.Path, Err: e.Err}
		}
	}
	switch {
	case errors.Is(err, store.ErrNoRoot) && !errors.Is(err, ErrNoRegistry):
		err = fmt.Errorf("%w: %w", ErrNoRegistry, err)
	case errors.Is(err, ErrIntegrity):
	case ledger.IsDamaged(err):
		err = fmt.Errorf("%w: %w", ErrIntegrity, err)
	case errors.Is(err, store.ErrUnknown) && !errors.Is(err, ErrOutcomeUnknown) && ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return &Error{Op: op, Ref: ref, Err: ended(ctx, err)}
}

// ended completes an error that is due to the end of ctx. The result matches both
// context.Canceled or context.DeadlineExceeded, and the cause that was given to
// context.WithCancelCause and the like. The layers below return only one of them.
func ended(ctx context.Context, err error) error {
	state, cause := ctx.Err(), context.Cause(ctx)
	isState, isCause := errors.Is(err, state), errors.Is(err, cause)
	switch {
	case state == nil, isState && isCause, !isState && !isCause:
		return err // the last case: it failed for another reason
	case isState:
		return fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("%w: %w", state, err)
}

// isEnd reports whether an error is due to the end of ctx. The cause of that end
// may match any error, also ErrNotFound.
func isEnd(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}
