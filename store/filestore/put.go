package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/mindtrace/registry/store"
)

const (
	tempPrefix = ".tmp-"  // of names that List does not show
	lockDir    = ".locks" // of the lock files for replacements
	lockFiles  = 64
)

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	if len(body) > store.MaxBody {
		return store.Info{}, fmt.Errorf("put %s: %d bytes, the limit is %d", key, len(body), store.MaxBody)
	}
	if match == store.Absent {
		return s.create(ctx, key, body)
	}
	return s.replace(ctx, key, body, match)
}

// create gives body the name of key if that name is free.
func (s *Store) create(ctx context.Context, key string, body []byte) (store.Info, error) {
	path := s.path(key)
	if _, err := os.Lstat(path); err == nil { // spare the flush; link decides
		return s.refused(key)
	}
	t, err := s.writeTemp(ctx, filepath.Dir(path), body)
	if err != nil {
		return store.Info{}, err
	}
	defer t.discard()
	if err := ctx.Err(); err != nil {
		return store.Info{}, err
	}
	s.note("link", path)
	switch err := publish(t.f, path); {
	case errors.Is(err, fs.ErrExist):
		return s.refused(key)
	case err != nil:
		return store.Info{}, err
	}
	return s.finish(key, path, t)
}

// replace gives body the name of key if its present token is match.
//
// The token is the modification time, and a replacement always gets a later
// one than what it replaces, so a token never comes back: the A-B-A problem
// of content hashes does not arise.
func (s *Store) replace(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	path := s.path(key)
	if fi, err := os.Lstat(path); err != nil || tokenOf(fi.ModTime()) != match { // spare the flush
		return s.refused(key)
	}
	if err := s.cas(); err != nil {
		return store.Info{}, err
	}
	t, err := s.writeTemp(ctx, filepath.Dir(path), body)
	if err != nil {
		return store.Info{}, err
	}
	defer t.discard()
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return store.Info{}, err
	}
	defer unlock()
	fi, err := os.Lstat(path)
	if err != nil || tokenOf(fi.ModTime()) != match {
		return s.refused(key)
	}
	if err := t.laterThan(fi.ModTime()); err != nil {
		return store.Info{}, err
	}
	s.note("rename", path)
	if err := replaceFile(t.f, path); err != nil {
		return store.Info{}, err
	}
	t.named = true
	return s.finish(key, path, t)
}

// finish makes the new name durable. The name is visible already: an error
// leaves the outcome open.
func (s *Store) finish(key, path string, t *temp) (store.Info, error) {
	t.discard()
	dir := filepath.Dir(path)
	s.note("syncdir", dir)
	if err := syncDir(dir); err != nil {
		return store.Info{}, fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	changed := s.now()
	if _, at, err := stat(path); err == nil { // else it is deleted already
		changed = at
	}
	s.observe(changed)
	return store.Info{
		Key: key, Size: t.size, Token: tokenOf(t.modified), Modified: changed, Now: changed,
	}, nil
}

func (s *Store) refused(key string) (store.Info, error) {
	return store.Info{Now: s.now()}, fmt.Errorf("put %s: %w", key, store.ErrPrecondition)
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	path := s.path(key)
	if _, err := os.Lstat(path); translate(err) != nil {
		if errors.Is(translate(err), fs.ErrNotExist) {
			return nil
		}
		return err
	}
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	s.note("remove", path)
	if err := removeFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.note("syncdir", filepath.Dir(path))
	if err := syncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return nil
}

// temp is a written and flushed file that has no proper name yet.
type temp struct {
	f        *os.File
	modified time.Time
	size     int64
	named    bool // its temporary name is gone
}

func (s *Store) writeTemp(ctx context.Context, dir string, body []byte) (_ *temp, err error) {
	f, err := s.openTemp(dir)
	if err != nil {
		return nil, err
	}
	t := &temp{f: f, size: int64(len(body))}
	defer func() {
		if err != nil {
			t.discard()
		}
	}()
	s.note("write", dir)
	for rest := body; len(rest) > 0; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := f.Write(rest[:min(ioSize, len(rest))])
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	if err := t.setModified(time.Now()); err != nil {
		return nil, err
	}
	s.note("sync", dir)
	return t, f.Sync()
}

// openTemp creates a temporary file in dir, and dir if need be. Somebody may
// prune the empty directory in between.
func (s *Store) openTemp(dir string) (*os.File, error) {
	for try := 0; ; try++ {
		if err := s.makeDir(dir); err != nil {
			return nil, err
		}
		name := filepath.Join(dir, tempPrefix+rand.Text()[:16])
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrNotExist) && try < 10 {
			s.forgetDir(dir)
			continue
		}
		return f, err
	}
}

// setModified gives the file its token. The kernel's own time stamps are too
// coarse: two puts in one tick would share one.
func (t *temp) setModified(at time.Time) error {
	if err := os.Chtimes(t.f.Name(), time.Time{}, at); err != nil {
		return err
	}
	fi, err := t.f.Stat()
	if err != nil {
		return err
	}
	t.modified = fi.ModTime() // as precise as this file system can say it
	return nil
}

// laterThan makes the modification time later than at, by as little as the
// file system can express.
func (t *temp) laterThan(at time.Time) error {
	if t.modified.After(at) {
		return nil
	}
	for _, step := range []time.Duration{1, time.Microsecond, time.Millisecond, time.Second, 2 * time.Second} {
		if err := t.setModified(at.Add(step)); err != nil {
			return err
		}
		if t.modified.After(at) {
			return t.f.Sync()
		}
	}
	return fmt.Errorf("file store: %s does not keep modification times", filepath.Dir(t.f.Name()))
}

func (t *temp) discard() {
	if t.f == nil {
		return
	}
	t.f.Close()
	if !t.named {
		os.Remove(t.f.Name())
	}
	t.f = nil
}

// lock takes the lock that guards replacing and deleting key. flock excludes
// other processes, the channel the goroutines of this one.
func (s *Store) lock(ctx context.Context, key string) (unlock func(), err error) {
	h := fnv.New32a()
	h.Write([]byte(key))
	i := h.Sum32() % lockFiles
	select {
	case s.locks[i] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	dir := filepath.Join(s.root, lockDir)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		<-s.locks[i]
		return nil, err
	}
	l := flock.New(filepath.Join(dir, fmt.Sprintf("%02x", i)), flock.SetPermissions(0o666))
	if _, err := l.TryLockContext(ctx, time.Millisecond); err != nil {
		<-s.locks[i]
		return nil, err
	}
	return func() {
		l.Unlock()
		<-s.locks[i]
	}, nil
}
