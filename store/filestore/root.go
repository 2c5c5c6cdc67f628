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

// A Store takes hold of its root when it is opened, and reaches everything
// below through it: so nothing is ever written to another directory that has
// got the path meanwhile, and none is made anew. The path is looked at before
// a call ends: a directory that was renamed or unmounted still takes in files,
// but nobody finds them where they belong.

// hold takes hold of the root, if it is there.
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

// makeAbove makes the root, and those of the directories above it that are not
// there.
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
		return nil
	case err == nil:
		return fmt.Errorf("%w: there is another directory at %s; open the registry again, or put the one that was opened back", store.ErrNoRoot, s.root)
	case class == oserror.Absent:
		return fmt.Errorf("%w: there is no directory at %s; mount it or put it back, and open the registry again", store.ErrNoRoot, s.root)
	default:
		return translate(err)
	}
}

// found is how a call ends that has only looked: whatever it came to says
// nothing if the root is not there.
func (s *Store) found(err error) error {
	if s.held.Load() == nil {
		return translate(err) // nothing is there, and that is what it says
	}
	if gone := s.here(); gone != nil {
		return gone
	}
	return translate(err)
}

// done is how a call ends that may have changed something: an error of the
// root leaves that open if it did.
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
