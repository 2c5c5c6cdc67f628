package main

import (
	"context"
	"errors"
	"io/fs"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// Exit codes. Scripts depend on them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitPartial     = 3
	exitNotFound    = 4
	exitConflict    = 5
	exitPermission  = 6
	exitIntegrity   = 7
	exitLockTimeout = 8
	exitNetwork     = 9
	exitNoRegistry  = 10
	exitInterrupted = 130
)

const exitCodes = `Exit codes:
  0  done                       6  no permission, bad credentials
  1  failed                     7  stored data is damaged or missing
  2  wrong usage                8  timed out waiting for a lock
  3  done in part               9  the store cannot be reached
  4  no such object or version  10 no registry at this location
  5  exists already, conflict   130 interrupted`

// errProblems is the end of a verification that has found damage.
var errProblems = errors.New("problems were found")

// partialError means that some of several things were done.
type partialError struct{ err error }

func (e *partialError) Error() string { return e.err.Error() }
func (e *partialError) Unwrap() error { return e.err }

// exitCode returns the exit code for an error.
func exitCode(ctx context.Context, err error) int {
	var usage *usageError
	var partial *partialError
	var child *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &child):
		return child.code
	case errors.As(err, &usage):
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &partial):
		return exitPartial
	case errors.Is(err, registry.ErrInvalidName), errors.Is(err, registry.ErrInvalidVersion), errors.Is(err, registry.ErrInvalidRef), errors.Is(err, registry.ErrInvalidTag), errors.Is(err, store.ErrLocation):
		return exitUsage
	case errors.Is(err, registry.ErrLockTimeout):
		return exitLockTimeout
	case errors.Is(err, registry.ErrLockLost):
		return exitConflict
	case errors.Is(err, registry.ErrNoRegistry), errors.Is(err, store.ErrNoBucket):
		return exitNoRegistry
	case errors.Is(err, registry.ErrIntegrity), errors.Is(err, errProblems):
		return exitIntegrity
	case errors.Is(err, registry.ErrNotFound):
		return exitNotFound
	case errors.Is(err, registry.ErrTagged):
		return exitConflict
	case errors.Is(err, registry.ErrExists), errors.Is(err, registry.ErrConflict), errors.Is(err, registry.ErrNotEmpty), errors.Is(err, fs.ErrExist):
		return exitConflict
	case errors.Is(err, fs.ErrPermission), oserror.Of(err) == oserror.ReadOnly:
		return exitPermission
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, registry.ErrOffline):
		return exitNetwork
	}
	return exitFailure
}
