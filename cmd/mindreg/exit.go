package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	registry "github.com/mindtrace/registry"
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
  2  wrong usage                8  a lock was not to be had in time
  3  done in part               9  the store cannot be reached
  4  no such object or version  10 no registry at this location
  5  exists already, conflict   130 interrupted`

// partialError means that some of several things were done.
type partialError struct{ err error }

func (e *partialError) Error() string { return e.err.Error() }
func (e *partialError) Unwrap() error { return e.err }

// exitCode is where errors become exit codes.
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
	case errors.Is(err, registry.ErrInvalidName), errors.Is(err, registry.ErrInvalidVersion), errors.Is(err, registry.ErrInvalidRef), errors.Is(err, registry.ErrInvalidTag):
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
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return exitPermission
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, registry.ErrOffline):
		return exitNetwork
	}
	return exitFailure
}

// complain writes an error for people, and what to do about it where the error
// itself does not say so.
func (a *app) complain(ctx context.Context, err error) {
	w := a.stderr
	fmt.Fprintf(w, "mindreg: %v\n", err)
	var e *registry.Error
	switch {
	case ctx.Err() != nil:
		if errors.As(err, &e) && (e.Op == "save" || e.Op == "load" || e.Op == "copy") {
			fmt.Fprintln(w, "  interrupted; run again, it goes on where it was")
		}
	case errors.Is(err, store.ErrScheme):
		fmt.Fprintln(w, "  a registry is in a directory, or at s3://bucket/prefix or gs://bucket/prefix")
	case errors.Is(err, registry.ErrOffline):
		fmt.Fprintln(w, "  without --offline, the registry is asked for it")
	case errors.Is(err, registry.ErrTagged) && errors.As(err, &e) && e.Op == "purge":
		fmt.Fprintln(w, "  mindreg purge --force purges the version and removes its tags")
	case errors.Is(err, registry.ErrTagged):
		fmt.Fprintln(w, "  mindreg rm --force deletes the version and removes its tags")
	case errors.Is(err, registry.ErrPurged): // there is nothing to do
	case errors.Is(err, registry.ErrDeleted):
		fmt.Fprintln(w, "  for a week after it was deleted, mindreg undelete NAME@VERSION brings a version back;")
		fmt.Fprintln(w, "  mindreg versions --deleted NAME lists them")
	case errors.Is(err, registry.ErrExists) && errors.As(err, &e) && e.Op == "save":
		fmt.Fprintln(w, "  versions never change; leave --version out to get the next number")
	case errors.Is(err, registry.ErrIntegrity) && errors.As(err, &e) && e.Op == "open":
		fmt.Fprintln(w, "  the settings of the registry, registry.json, are damaged; put that file back from a copy;")
		fmt.Fprintln(w, "  the versions are not concerned")
	case errors.Is(err, registry.ErrIntegrity):
		fmt.Fprintln(w, "  mindreg verify tells which versions are concerned; others are not")
	case errors.Is(err, registry.ErrOutcomeUnknown):
		fmt.Fprintln(w, "  it may have been done, or may still be; look with mindreg versions before you try again")
	case errors.Is(err, registry.ErrLockTimeout):
		fmt.Fprintln(w, "  it ends when its holder releases it, or some time after that has died; mindreg lock break NAME takes it away")
	case errors.Is(err, registry.ErrNoMaterializer):
		fmt.Fprintln(w, "  a path as destination takes the files as they are, whatever saved them")
	case errors.Is(err, registry.ErrNotFound) && errors.As(err, &e):
		a.whereToLook(e)
	}
}

var shortVersion = regexp.MustCompile(`^v?[0-9]+(\.[0-9]+)?$`)

// whereToLook helps with an object, version or tag that was not found.
func (a *app) whereToLook(e *registry.Error) {
	switch e.Op {
	case "load", "open object", "check out", "info", "list versions", "list tags", "tag", "untag", "delete", "undelete", "purge", "verify":
	default: // it is not about what is in the registry on this side
		return
	}
	name, selector, _ := strings.Cut(e.Ref, "@")
	v, err := registry.ParseVersion(selector)
	if err == nil && shortVersion.MatchString(selector) && e.Op != "undelete" { // that takes no range
		fmt.Fprintf(a.stderr, "  %s is short for %s; for the highest that begins so, write %s@%s.x\n", selector, v, name, selector)
	}
	if url, err := a.location(nil); err == nil {
		fmt.Fprintf(a.stderr, "  looked in %s; mindreg ls and mindreg versions NAME list what is there\n", url)
	}
}
