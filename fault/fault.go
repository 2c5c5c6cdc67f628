// Package fault has the errors of a registry. Package registry exports each of
// them under the same name, and says which of its methods return which.
//
// Match the variables with errors.Is, and the types with errors.As. Errors of
// the operating system and of package context keep their own identity: a path
// that does not exist is fs.ErrNotExist, a refused access is fs.ErrPermission,
// a cancellation is context.Canceled.
package fault

import "errors"

var (
	// ErrNotFound: no such object or version.
	ErrNotFound = errors.New("not found")
	// ErrDeleted: the version was deleted. It is also ErrNotFound.
	ErrDeleted error = deletedError{}
	// ErrPurged: the version was deleted for good: by Purge, or too long ago to
	// be brought back. It is also ErrDeleted and ErrNotFound.
	ErrPurged error = purgedError{}
	// ErrExists: the version exists, or existed: numbers are never reused. Or
	// the registry exists, and is of another kind than the one asked for.
	ErrExists = errors.New("already exists")
	// ErrConflict: the caller's condition is not met, or another process changed
	// the same register first. This call changed nothing.
	ErrConflict = errors.New("condition not met")
	// ErrInvalidRef: not a reference of the form name or name@selector.
	ErrInvalidRef = errors.New("invalid reference")
	// ErrTagged: the version has tags, so it is deleted only by force.
	ErrTagged = errors.New("is tagged")
	// ErrDangling: a tag points at a version that was deleted. Deleting a
	// version removes its tags; this delete was interrupted. It is also
	// ErrNotFound.
	ErrDangling = errors.New("dangling tag")
	// ErrNoRegistry: there is no registry at the location, or another one than
	// the one that was opened.
	ErrNoRegistry = errors.New("no registry here")
	// ErrNotEmpty: the location holds something that is not a registry.
	ErrNotEmpty = errors.New("holds something that is not a registry")
	// ErrIntegrity: stored data is damaged or missing.
	ErrIntegrity = errors.New("integrity violated")
	// ErrTooLarge: the object has more bytes than the caller allows, or a file
	// has more than the machine has memory to load it into.
	ErrTooLarge = errors.New("too large")
	// ErrNoSpace: the disk of the destination of a load has not enough room.
	ErrNoSpace = errors.New("not enough room on the disk")
	// ErrTooSlow: a save took so long that its data may have been collected.
	// It was undone; save again.
	ErrTooSlow = errors.New("took too long to be safe")
	// ErrOutcomeUnknown: the store did not say whether the last step of the
	// operation was applied. It may take effect, now or later; look before
	// you repeat it. See OutcomeError.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrUnsafeStore: the store does not keep its contract. Writing to it could
	// lose data, so nothing is written.
	ErrUnsafeStore = errors.New("unsafe store")
)

type deletedError struct{}

func (deletedError) Error() string        { return "deleted" }
func (deletedError) Is(target error) bool { return target == ErrNotFound }

type purgedError struct{}

func (purgedError) Error() string        { return "deleted for good" }
func (purgedError) Is(target error) bool { return target == ErrDeleted || target == ErrNotFound }
