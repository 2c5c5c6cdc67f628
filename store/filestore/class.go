package filestore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// translate gives a failure of the file system its name in package store: here
// and nowhere else. A parent that is a file means that the key does not exist.
func translate(err error) error {
	if err == nil || named(err) {
		return err
	}
	switch oserror.Of(err) {
	case oserror.Absent:
		return as(store.ErrNotExist, err)
	case oserror.ReadOnly:
		return as(fs.ErrPermission, fmt.Errorf("%w; nothing can be written there, loading and listing work", err))
	case oserror.Unreachable:
		return as(store.ErrUnavailable, err)
	}
	if errors.Is(err, errStale) {
		return as(store.ErrRetry, err)
	}
	return err
}

// named reports whether err has a name of package store already.
func named(err error) bool {
	for _, name := range []error{store.ErrNotExist, store.ErrPrecondition, store.ErrUnknown, store.ErrRetry,
		store.ErrNoRoot, store.ErrForeign, store.ErrUnavailable, store.ErrTooLarge} {
		if errors.Is(err, name) {
			return true
		}
	}
	return false
}

// classed is an error that has a name of package store, and says what it said.
type classed struct{ name, err error }

func as(name, err error) error { return &classed{name, err} }

func (c *classed) Error() string   { return c.err.Error() }
func (c *classed) Unwrap() []error { return []error{c.name, c.err} }

// foreign is an error about something that is in the way of a key.
func foreign(op, path, what string) error {
	return as(store.ErrForeign, &fs.PathError{Op: op, Path: path, Err: errors.New(what)})
}

const (
	isLink  = "this is a symbolic link, which is not followed in a registry; put there what it leads to, or remove it"
	isOther = "this is not a file, and no registry has put it there; move it away"
)
