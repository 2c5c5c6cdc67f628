package filestore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// translate adds to an error of the file system the matching error of package
// store. It is the only place that does. If a parent of the key is a file, the
// key does not exist.
func translate(err error) error {
	if err == nil || named(err) {
		return err
	}
	switch oserror.Of(err) {
	case oserror.Absent:
		return as(store.ErrNotExist, err)
	case oserror.ReadOnly:
		return as(fs.ErrPermission, fmt.Errorf("%w; the file system is read-only: loading and listing work, saving does not", err))
	case oserror.Unreachable:
		return as(store.ErrUnavailable, err)
	}
	if errors.Is(err, errStale) {
		return as(store.ErrRetry, err)
	}
	return err
}

// named reports whether err is an error of package store already.
func named(err error) bool {
	for _, name := range []error{store.ErrNotExist, store.ErrPrecondition, store.ErrUnknown, store.ErrRetry,
		store.ErrNoRoot, store.ErrForeign, store.ErrUnavailable, store.ErrTooLarge} {
		if errors.Is(err, name) {
			return true
		}
	}
	return false
}

// classed is an error that is also an error of package store. It keeps its own
// text.
type classed struct{ name, err error }

func as(name, err error) error { return &classed{name, err} }

func (c *classed) Error() string   { return c.err.Error() }
func (c *classed) Unwrap() []error { return []error{c.name, c.err} }

// foreign returns an ErrForeign about what blocks the path of a key.
func foreign(op, path, what string) error {
	return as(store.ErrForeign, &fs.PathError{Op: op, Path: path, Err: errors.New(what)})
}

const (
	isLink  = "this is a symbolic link, which a registry does not follow; replace it by its target, or remove it"
	isOther = "this is not a regular file, and no registry has put it there; move it away"
)
