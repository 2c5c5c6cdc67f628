package filestore

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockDir   = ".locks" // of the lock files for replacements; List does not show it
	lockFiles = 64
)

// lockNumber tells which of the locks guards key.
func lockNumber(key string) int {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % lockFiles)
}

func (s *Store) lockPath(key string) string {
	return filepath.Join(s.root, lockDir, fmt.Sprintf("%02x", lockNumber(key)))
}

// lock takes the lock that guards replacing and deleting key. flock excludes
// other processes, the channel the goroutines of this one. A lock file must
// not be removed while a store is in use: it would exclude nobody any more.
func (s *Store) lock(ctx context.Context, key string) (unlock func(), err error) {
	i := lockNumber(key)
	select {
	case s.locks[i] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l, err := lockFile(ctx, s.lockPath(key))
	if err != nil {
		<-s.locks[i]
		return nil, err
	}
	return func() {
		l.Unlock()
		<-s.locks[i]
	}, nil
}

// lockFile locks the file name. Somebody may prune its directory while that is
// empty.
func lockFile(ctx context.Context, name string) (*flock.Flock, error) {
	const tries = 1000
	l := flock.New(name, flock.SetPermissions(0o666))
	for try := 0; ; try++ {
		_, err := l.TryLockContext(ctx, time.Millisecond)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || try == tries {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}
