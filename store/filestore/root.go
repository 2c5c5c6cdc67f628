package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

var _ store.RootMaker = (*Store)(nil)

// A Store opens its root once, keeps it open, and reaches everything below
// through it. So it never writes to another directory that has got the same
// path meanwhile, and never makes the root anew. Before a call ends, it checks
// the path and the anchor: a directory that was renamed or unmounted still
// accepts files, but no reader would find them at the path.

// hold opens the root and keeps it open, if it exists.
func (s *Store) hold() error {
	held, err := holdRoot(s.root)
	if err == nil {
		s.held.Store(held)
		return nil
	}
	if oserror.Of(err) != oserror.Absent {
		return translate(err)
	}
	if fi, err := os.Stat(s.root); err == nil && !fi.IsDir() {
		return &fs.PathError{Op: "open registry", Path: s.root, Err: errors.New("not a directory")}
	}
	return nil
}

// MakeRoot implements store.RootMaker.
func (s *Store) MakeRoot(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.held.Load() != nil {
		return s.here()
	}
	if err := s.makeAbove(s.root); err != nil {
		return translate(err)
	}
	if err := s.hold(); err != nil {
		return err
	}
	return s.here()
}

// makeAbove makes a directory, the root or one above it, with its missing
// parents.
func (s *Store) makeAbove(dir string) error {
	mkdir := func() error { return os.Mkdir(dir, 0o777) }
	err := s.do(effect{op: opMkdir, path: dir}, mkdir)
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := s.makeAbove(parent); err != nil {
			return err
		}
		err = s.do(effect{op: opMkdir, path: dir}, mkdir)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		s.note("mkdir", dir)
	}
	return err
}

// here returns an error unless the root that was opened is at its path.
func (s *Store) here() error {
	held := s.held.Load()
	if held == nil {
		return as(store.ErrNoRoot, fmt.Errorf("there is no directory at %s; mindreg init %[1]s makes a registry there", s.root))
	}
	same, err := held.isAt(s.root)
	switch class := oserror.Of(err); {
	case err == nil && same:
		return translate(s.anchored())
	case err == nil:
		return fmt.Errorf("%w: there is another directory at %s; open the registry again, or put the first directory back", store.ErrNoRoot, s.root)
	case class == oserror.Absent:
		return fmt.Errorf("%w: there is no directory at %s; mount it or put it back, and open the registry again", store.ErrNoRoot, s.root)
	default:
		return translate(err)
	}
}

// found returns the error of a call that has only read. If the root is not at
// its place, that is the error, since the result means nothing.
func (s *Store) found(err error) error {
	if s.held.Load() == nil {
		return translate(err) // the directory does not exist yet: the store is empty
	}
	if gone := s.here(); gone != nil {
		return gone
	}
	return translate(err)
}

// done returns the error of a call that may have changed something. If the
// root is not at its place after a change, the outcome is unknown.
func (s *Store) done(err error, changed bool) error {
	gone := s.here()
	switch {
	case gone == nil:
		return translate(err)
	case errors.Is(err, store.ErrUnknown), changed:
		return fmt.Errorf("%w: %w", store.ErrUnknown, gone)
	}
	return gone
}
