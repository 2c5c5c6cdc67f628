package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	err := s.delete(ctx, key)
	return s.done(err, err == nil)
}

func (s *Store) delete(ctx context.Context, key string) error {
	st, err := s.status("delete", key)
	if err != nil && oserror.Of(err) != oserror.Absent {
		return err
	}
	if err != nil || !st.mode.IsRegular() { // a directory is not a key
		return s.flushGone(key)
	}
	unlock, err := s.lock(ctx, key)
	if oserror.Of(err) == oserror.Full {
		// The disk has no room for a lock file. The deletion makes room.
		if err := s.remove(key); err != nil {
			return err
		}
		if _, err := s.status("delete", lockKey(key)); err != nil {
			return nil
		}
		// Another process has made the lock file meanwhile, and may be
		// replacing the key. Once this process has the lock, that is over.
		if unlock, err = s.lock(ctx, key); err != nil {
			return fmt.Errorf("%w: %w", store.ErrUnknown, err)
		}
	}
	if err != nil {
		return err
	}
	defer unlock()
	return s.remove(key)
}

// remove removes the file of a key, and flushes its directory.
func (s *Store) remove(key string) error {
	d, err := s.openFolder(parent(key))
	if errors.Is(err, fs.ErrNotExist) {
		return s.flushGone(key)
	}
	if err != nil {
		return err
	}
	defer d.close()
	if err := s.here(); err != nil {
		return err
	}
	path := s.path(key)
	s.note("remove", path)
	gone := func() error { return d.remove(base(key)) }
	if err := s.do(effect{op: opRemove, path: path}, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.flush(d); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return nil
}

// flushGone makes the absence of a file durable. Another process, or an
// earlier Delete whose flush failed, may have removed it without a flush.
func (s *Store) flushGone(key string) error {
	for rel := key; rel != ""; {
		rel = parent(rel)
		d, err := s.openFolder(rel)
		if err == nil {
			defer d.close()
			return s.flush(d)
		}
		if oserror.Of(err) != oserror.Absent {
			return err
		}
	}
	return nil
}
