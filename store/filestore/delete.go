package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry/store"
)

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	path := s.path(key)
	fi, err := os.Stat(path)
	if err = translate(err); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil || !fi.Mode().IsRegular() { // a directory, or a link to one, is no key
		return s.flushGone(path)
	}
	unlock, err := s.lock(ctx, key)
	if isFull(err) {
		// There is no room for a lock file, but this is how to make some.
		if err := s.remove(path); err != nil {
			return err
		}
		if _, err := os.Stat(s.lockPath(key)); err != nil {
			return nil
		}
		// Somebody has found room for it meanwhile, and may just be replacing
		// the key. Once the lock is ours they are through.
		if unlock, err = s.lock(ctx, key); err != nil {
			return fmt.Errorf("%w: %w", store.ErrUnknown, err)
		}
	}
	if err != nil {
		return err
	}
	defer unlock()
	return s.remove(path)
}

// remove removes a file, durably.
func (s *Store) remove(path string) error {
	dir := filepath.Dir(path)
	d, err := holdDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s.flushGone(path)
	}
	if err != nil {
		return err
	}
	defer d.Close()
	s.note("remove", path)
	gone := func() error { return removeFile(path) }
	if err := s.do(effect{op: opRemove, path: path}, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.flush(dir, d); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return nil
}

// flushGone makes the absence of a file durable: another process may have
// removed it just now, or an earlier Delete, whose flush failed.
func (s *Store) flushGone(path string) error {
	for dir := path; dir != s.root; {
		dir = filepath.Dir(dir)
		err := s.syncDir(dir)
		if err == nil {
			return nil
		}
		if !errors.Is(translate(err), fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
