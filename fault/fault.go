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
	// ErrPurged: the version was deleted for good, by Purge or by a collection
	// after a week, and cannot be brought back. It is also ErrDeleted and ErrNotFound.
	ErrPurged error = purgedError{}
	// ErrExists: the version exists, or existed: numbers are never reused. Or the
	// registry exists, but its settings are not the ones asked for.
	ErrExists = errors.New("already exists")
	// ErrConflict: the caller's condition is not met, or another process changed
	// the same register first. This call changed nothing.
	ErrConflict = errors.New("condition not met")
	// ErrInvalidRef: the reference is not of the form name or name@selector, or
	// its selector is of a kind that the call does not take.
	ErrInvalidRef = errors.New("invalid reference")
	// ErrTagged: the version has tags, so only a delete with force deletes it.
	ErrTagged = errors.New("is tagged")
	// ErrDangling: a tag points at a version that was deleted. Deleting a
	// version removes its tags; this delete was interrupted. It is also
	// ErrNotFound.
	ErrDangling = errors.New("dangling tag")
	// ErrNoRegistry: there is no registry at the location, or it was replaced by
	// another one after it was opened.
	ErrNoRegistry = errors.New("no registry here")
	// ErrNotEmpty: the location holds something that is not a registry.
	ErrNotEmpty = errors.New("holds something that is not a registry")
	// ErrIntegrity: stored data is damaged or missing.
	ErrIntegrity = errors.New("integrity violated")
	// ErrTooLarge: the object has more bytes than the caller allows, or the
	// machine does not have enough memory to load a file into.
	ErrTooLarge = errors.New("too large")
	// ErrNoSpace: the disk of the destination of a load does not have enough room.
	ErrNoSpace = errors.New("not enough room on the disk")
	// ErrTooSlow: a save took so long that its data may have been collected.
	// It was undone; save again.
	ErrTooSlow = errors.New("took too long to be safe")
	// ErrOutcomeUnknown: the store did not say whether the last step of the
	// operation was applied. It may take effect now or later, so read the state
	// before you repeat the operation. See OutcomeError.
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
