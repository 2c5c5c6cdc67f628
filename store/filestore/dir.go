package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// makeDir makes dir and its parents, durably. A directory that is there
// already may be another process's that has not been flushed yet, so each
// process flushes every directory above its files once.
func (s *Store) makeDir(dir string) error {
	if _, ok := s.durable.Load(dir); ok {
		return nil
	}
	parent := filepath.Dir(dir)
	if dir == s.root {
		if err := makeRoot(dir); err != nil {
			return err
		}
	} else {
		if err := s.makeDir(parent); err != nil {
			return err
		}
		s.note("mkdir", dir)
		err := os.Mkdir(dir, 0o777)
		if errors.Is(err, fs.ErrNotExist) { // the parent has been pruned
			s.forgetDir(parent)
			return s.makeDir(dir)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		s.note("syncdir", parent)
		if err := syncDir(parent); err != nil {
			return err
		}
	}
	s.durable.Store(dir, nil)
	return nil
}

// makeRoot makes the store's own directory. The directories above it belong
// to somebody else and may not be readable for us: those that exist are
// flushed where that is possible.
func makeRoot(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if err := syncDir(d); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}

// forgetDir makes the next makeDir look at dir and its parents again.
func (s *Store) forgetDir(dir string) {
	for ; len(dir) >= len(s.root); dir = filepath.Dir(dir) {
		s.durable.Delete(dir)
		if dir == filepath.Dir(dir) {
			return
		}
	}
}
