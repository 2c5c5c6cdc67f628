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

// Errors of this package, to be matched with errors.Is. Errors of the
// operating system and of package context keep their own identity: a path
// that does not exist is fs.ErrNotExist, a refused access fs.ErrPermission,
// a cancellation context.Canceled, a deadline that has passed
// context.DeadlineExceeded; the cause given to context.WithCancelCause and the
// like is found too.
var (
	// ErrNotFound: no such object or version.
	ErrNotFound = fault.ErrNotFound
	// ErrDeleted: the version was deleted. It is also ErrNotFound.
	ErrDeleted = fault.ErrDeleted
	// ErrPurged: the version was deleted for good: by Purge, or too long ago to
	// be brought back. It is also ErrDeleted and ErrNotFound.
	ErrPurged = fault.ErrPurged
	// ErrExists: the version exists, or existed: numbers are never reused. Or
	// the registry exists, and is of another kind than the one asked for.
	ErrExists = fault.ErrExists
	// ErrConflict: a condition did not hold, or another process changed the same
	// thing first. This call changed nothing.
	ErrConflict = fault.ErrConflict
	// ErrInvalidName: not a name that an object can have.
	ErrInvalidName = manifest.ErrInvalidName
	// ErrInvalidVersion: not a version, or not allowed here.
	ErrInvalidVersion = version.ErrInvalid
	// ErrInvalidRef: not a reference of the form name or name@selector.
	ErrInvalidRef = fault.ErrInvalidRef
	// ErrInvalidTag: not a tag that a version can have.
	ErrInvalidTag = manifest.ErrInvalidTag
	// ErrTagged: the version has tags, so it is deleted only by force.
	ErrTagged = fault.ErrTagged
	// ErrDangling: a tag points at a version that was deleted. Deleting
	// a version removes its tags; this delete was interrupted. It is also
	// ErrNotFound.
	ErrDangling = fault.ErrDangling
	// ErrNoRegistry: there is no registry at the location, or another one than
	// the one that was opened.
	ErrNoRegistry = fault.ErrNoRegistry
	// ErrNotEmpty: the location holds something that is not a registry.
	ErrNotEmpty = fault.ErrNotEmpty
	// ErrNewer: it was written by a newer version of this program.
	ErrNewer = manifest.ErrNewer
	// ErrIntegrity: stored data is damaged or missing.
	ErrIntegrity = fault.ErrIntegrity
	// ErrTooLarge: the object has more bytes than WithMaxSize allows, or a file
	// has more than the machine has memory to load it into.
	ErrTooLarge = fault.ErrTooLarge
	// ErrNoSpace: the disk of the destination of a load has not enough room.
	ErrNoSpace = fault.ErrNoSpace
	// ErrOffline: offline mode asks only the cache, and the cache does not have it.
	ErrOffline = cachestore.ErrOffline
	// ErrNoMaterializer: no known materializer can save or load the type.
	ErrNoMaterializer = material.ErrNone
	// ErrType: the value or the target has the wrong type.
	ErrType = material.ErrType
	// ErrTooSlow: a save took so long that its data may have been collected.
	// It was undone; save again.
	ErrTooSlow = fault.ErrTooSlow
	// ErrOutcomeUnknown: the store did not say whether the last step of the
	// operation was applied. It may take effect, now or later; look before
	// you repeat it. See OutcomeError.
	ErrOutcomeUnknown = fault.ErrOutcomeUnknown
	// ErrUnsafeStore: the store does not keep its contract. Writing to it could
	// lose data, so nothing is written.
	ErrUnsafeStore = fault.ErrUnsafeStore
	// ErrLockTimeout: others had the lock for as long as the caller was ready to
	// wait. See LockTimeoutError.
	ErrLockTimeout = lease.ErrTimeout
	// ErrLockLost: a lock was not renewed in time, or it was broken. The cause
	// of the end of the context that Lock returned.
	ErrLockLost = lease.ErrLost
)

// Errors with more to say than what they are.
type (
	// OutcomeError is an ErrOutcomeUnknown: which register was written, and the
	// nonce to look for in it.
	OutcomeError = fault.OutcomeError
	// UnreadableError is one part of a registry that cannot be read.
	UnreadableError = fault.UnreadableError
	// TagError says that a version was saved, but that not all its tags were set.
	TagError = fault.TagError
	// SideError is the failure of one of the two registries of a Copy.
	SideError = fault.SideError
	// Side says which of two registries an operation between them failed at.
	Side = fault.Side
)

// The sides of a copy.
const (
	Source      = fault.Source
	Destination = fault.Destination
)

// Error is how every function of this package and method of a Registry fails:
// what was attempted, on what, and why. Methods of an Object and its files fail
// with an *fs.PathError, as package io/fs has it.
type Error struct {
	Op  Op
	Ref string // name or reference, may be empty
	Err error
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

// wrap gives an error its operation and reference, once, and the errors of
// the layers below their names here. It is the last thing that each verb does
// with an error, and what makes of it an *Error.
func wrap(ctx context.Context, op Op, ref string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { // of a verb that this one uses
		return &Error{Op: e.Op, Ref: e.Ref, Err: ended(ctx, e.Err)}
	}
	if pe, ok := err.(*fs.PathError); ok { // of a file of an Object, which has an Error of its own
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

// ended has an error that comes of the end of ctx say so in full: it is
// context.Canceled or context.DeadlineExceeded, and the cause that was given to
// WithCancelCause and the like. The layers below return the one or the other.
func ended(ctx context.Context, err error) error {
	state, cause := ctx.Err(), context.Cause(ctx)
	isState, isCause := errors.Is(err, state), errors.Is(err, cause)
	switch {
	case state == nil, isState && isCause, !isState && !isCause:
		return err // the last: it failed for another reason
	case isState:
		return fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("%w: %w", state, err)
}

// isEnd reports whether an error comes of the end of ctx, and not of what the
// cause given with it means otherwise.
func isEnd(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}
