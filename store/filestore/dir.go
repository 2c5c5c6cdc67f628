package filestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry/store"
)

var _ store.Flusher = (*Store)(nil)

// makeDir makes dir and those of its parents that are not there.
func (s *Store) makeDir(dir string) error {
	mkdir := func() error { return os.Mkdir(dir, 0o777) }
	err := s.do(effect{op: opMkdir, path: dir}, mkdir)
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := s.makeDir(parent); err != nil {
			return err
		}
		err = s.do(effect{op: opMkdir, path: dir}, mkdir)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		s.note("mkdir", dir)
		s.durable.Delete(dir) // the one known was another, since pruned
	}
	return err
}

// secure makes dir durable, with every directory above it. One that is there
// already may be another process's that has not flushed it yet, so each
// process flushes all of them once (attack A42).
//
// A directory is known again by its identity, not by its path: it may have
// been pruned, and made anew by somebody else (attack A49). The caller holds
// it open as d and has a file in it, so neither it nor one above it can be
// removed meanwhile.
func (s *Store) secure(dir string, d *os.File) error {
	c, err := s.unsecured(dir, d)
	if err != nil {
		return err
	}
	return s.flushChain(c)()
}

// secureIn makes the names in dir durable, and dir itself.
func (s *Store) secureIn(dir string) error {
	d, err := holdDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := s.secure(dir, d); err != nil {
		return err
	}
	return s.flush(dir, d)
}

// Flush implements store.Flusher: the name of key may be another process's that
// has not flushed it yet. Its bytes were flushed before it was named.
func (s *Store) Flush(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	err := translate(s.secureIn(filepath.Dir(s.path(key))))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// flushAbove flushes the directories above the store's own. They belong to
// somebody else and may not be readable for us: then that is their concern.
func (s *Store) flushAbove() error {
	tops := []string{s.root}
	if real, err := filepath.EvalSymlinks(s.root); err == nil && real != s.root {
		tops = append(tops, real)
	}
	for _, dir := range tops {
		for dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			if err := s.syncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
	}
	return nil
}

// syncDir flushes the names in the directory dir.
func (s *Store) syncDir(dir string) error {
	d, err := holdDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return s.flush(dir, d)
}

// flush flushes the names in the directory dir, which is open as d.
func (s *Store) flush(dir string, d *os.File) error {
	s.note("syncdir", dir)
	return s.do(effect{op: opSyncDir, path: dir, file: d}, func() error { return flushDir(d) })
}
