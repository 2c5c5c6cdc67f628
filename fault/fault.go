// Package fault declares the errors of a registry: variables for errors.Is, and
// types for errors.As that carry more than their kind.
//
// Users do not need to import it: package registry exports every name of it, and
// documents which method returns which. It is a package of its own so that the
// packages below the registry can return these errors, too.
//
// Some errors belong to other packages, and package registry exports those as
// well: version.ErrInvalid, material.ErrType, store.ErrUnavailable and others.
// Errors of the operating system and of package context keep their identity: a
// path that does not exist is fs.ErrNotExist, a refused access is
// fs.ErrPermission, a cancellation is context.Canceled.
package fault

import "errors"

var (
	// ErrNotFound: there is no such object or version.
	ErrNotFound = errors.New("not found")
	// ErrDeleted: the version is deleted and can be brought back by Undelete. It
	// is also ErrNotFound.
	ErrDeleted error = deletedError{}
	// ErrPurged: the version is deleted for good: by Purge, or because it was
	// deleted too long ago to be brought back. It is also ErrDeleted and
	// ErrNotFound.
	ErrPurged error = purgedError{}
	// ErrExists: the version exists, or existed: numbers are never used again. Of
	// a registry: it exists, and is of another kind than the one asked for.
	ErrExists = errors.New("already exists")
	// ErrConflict: a condition that the caller gave does not hold, or another
	// process changed the same thing first. This call has changed nothing.
	ErrConflict = errors.New("condition not met")
	// ErrInvalidRef: the text is not a reference of the form name or
	// name@selector.
	ErrInvalidRef = errors.New("invalid reference")
	// ErrTagged: the version has tags, so only a forced delete deletes it.
	ErrTagged = errors.New("is tagged")
	// ErrDangling: a tag points at a version that is deleted, because the delete
	// was interrupted before it removed the tag. A call that returns it returns
	// ErrNotFound, too.
	ErrDangling = errors.New("dangling tag")
	// ErrNoRegistry: there is no registry at the location, or it is not the one
	// that was opened.
	ErrNoRegistry = errors.New("no registry here")
	// ErrNotEmpty: the location holds something that is not a registry, so no
	// registry is made in it.
	ErrNotEmpty = errors.New("holds something that is not a registry")
	// ErrIntegrity: stored data is damaged or missing.
	ErrIntegrity = errors.New("integrity violated")
	// ErrTooLarge: the object has more bytes than the caller allows, or a file
	// of it has more bytes than the machine has memory.
	ErrTooLarge = errors.New("too large")
	// ErrNoSpace: the disk that a load writes to does not have enough room.
	ErrNoSpace = errors.New("not enough room on the disk")
	// ErrTooSlow: a save took longer than its data is certain to stay. It was
	// undone; save again.
	ErrTooSlow = errors.New("took too long to be safe")
	// ErrOutcomeUnknown: the store did not answer whether it applied the last
	// step of the operation. The step may take effect, now or later; look before
	// you repeat it. See OutcomeError.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrUnsafeStore: the store does not keep its contract. A write could lose
	// data, so the registry writes nothing.
	ErrUnsafeStore = errors.New("unsafe store")
)

type deletedError struct{}

func (deletedError) Error() string        { return "deleted" }
func (deletedError) Is(target error) bool { return target == ErrNotFound }

type purgedError struct{}

func (purgedError) Error() string        { return "deleted for good" }
func (purgedError) Is(target error) bool { return target == ErrDeleted || target == ErrNotFound }
