package filestore

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"time"

	"github.com/mindtrace/registry/internal/oserror"
)

const (
	lockDir   = ".locks" // of the lock files for replacements; List does not show it
	lockFiles = 64
)

// lockNumber returns the number of the lock that guards key.
func lockNumber(key string) int {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % lockFiles)
}

// lockKey returns the path of the lock file of key, below the root.
func lockKey(key string) string { return fmt.Sprintf("%s/%02x", lockDir, lockNumber(key)) }

// lock takes the lock that guards replacing and deleting key. flock excludes
// other processes, the channel excludes the goroutines of this one. A lock
// file must not be removed while a store is in use: two processes could then
// lock two different files.
func (s *Store) lock(ctx context.Context, key string) (unlock func(), err error) {
	i := lockNumber(key)
	select {
	case s.locks[i] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release, err := s.lockFile(ctx, lockKey(key))
	if err != nil {
		<-s.locks[i]
		return nil, err
	}
	return func() {
		release()
		<-s.locks[i]
	}, nil
}

// lockFile locks a lock file. It makes the directory of the lock files again
// if another process prunes it meanwhile.
func (s *Store) lockFile(ctx context.Context, rel string) (release func(), err error) {
	const tries = 1000
	for try := 0; ; try++ {
		release, err := s.tryLock(ctx, rel)
		if !errors.Is(err, fs.ErrNotExist) || try == tries {
			return release, err
		}
		if err := errors.Join(ctx.Err(), s.here()); err != nil {
			return nil, err
		}
		if err := s.makeLockDir(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

func (s *Store) tryLock(ctx context.Context, rel string) (release func(), err error) {
	d, err := s.openFolder(parent(rel))
	if oserror.Of(err) == oserror.Absent && !errors.Is(err, fs.ErrNotExist) { // it is not a directory
		return nil, foreign("lock", s.path(parent(rel)), isNoLock)
	}
	if err != nil {
		return nil, err
	}
	defer d.close()
	return d.lock(ctx, base(rel))
}

// makeLockDir makes the directory of the lock files. These do not have to be
// durable, so making it is not an effect.
func (s *Store) makeLockDir() error {
	d, err := s.openFolder("")
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.mkdir(lockDir); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

const isNoLock = "the locks of the registry belong here, and this is not one; move it away"

// poll repeats a try for a lock until it succeeds or fails.
func poll(ctx context.Context, try func() (bool, error)) error {
	for {
		if ok, err := try(); ok || err != nil {
			return err
		}
		t := time.NewTimer(time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}
