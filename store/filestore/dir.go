package filestore

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/mindtrace/registry/store"
)

var _ store.Flusher = (*Store)(nil)

// secure makes the directory d durable, with every directory above it. Another
// process may have made one of them and not flushed it yet, so each process
// flushes all of them once. Otherwise a power failure could take a directory
// away with acknowledged files in it (docs/attacks.md, A42).
//
// A directory is recognized by its identity, not by its path: it may have been
// pruned, and made anew by another process (A49). The caller has a file in it,
// so neither it nor its parents can be removed meanwhile.
func (s *Store) secure(rel string, d *folder) error {
	c, err := s.unsecured(rel, d)
	if err != nil {
		return err
	}
	return s.flushChain(c)()
}

// secureIn makes the names in a directory durable, and the directory itself.
func (s *Store) secureIn(rel string) error {
	d, err := s.openFolder(rel)
	if err != nil {
		return err
	}
	defer d.close()
	if err := s.secure(rel, d); err != nil {
		return err
	}
	return s.flush(d)
}

// Flush implements store.Flusher. Another process may have given key its name
// and not flushed that yet. The bytes were flushed before the name was given.
func (s *Store) Flush(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	err := s.found(s.secureIn(parent(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// flushAbove flushes the directories above the root. They belong to others.
// One that this process may not read is left out.
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

// syncDir flushes the names in a directory above the root.
func (s *Store) syncDir(dir string) error {
	d, err := holdDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return s.flush(&folder{dir, d})
}

// flush flushes the names in a directory.
func (s *Store) flush(d *folder) error {
	s.note("syncdir", d.path)
	return s.do(effect{op: opSyncDir, path: d.path, file: d.f}, func() error { return flushDir(d.f) })
}
