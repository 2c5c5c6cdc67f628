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
	if err != nil || !st.mode.IsRegular() { // a directory is no key
		return s.flushGone(key)
	}
	unlock, err := s.lock(ctx, key)
	if oserror.Of(err) == oserror.Full {
		// There is no room for a lock file, but this is how to make some.
		if err := s.remove(key); err != nil {
			return err
		}
		if _, err := s.status("delete", lockKey(key)); err != nil {
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
	return s.remove(key)
}

// remove removes a file, durably.
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

// flushGone makes the absence of a file durable: another process may have
// removed it just now, or an earlier Delete, whose flush failed.
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
