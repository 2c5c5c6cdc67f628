package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mindtrace/registry/store"
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
		return s.refused(key, path)
	}
	t, err := s.writeTemp(ctx, filepath.Dir(path), body)
	if err != nil {
		return store.Info{}, err
	}
	defer t.discard()
	if err := t.sync(); err != nil {
		return store.Info{}, err
	}
	return s.name(ctx, key, path, t)
}

// name gives t, which is flushed, the name of key if that is free.
func (s *Store) name(ctx context.Context, key, path string, t *temp) (store.Info, error) {
	if err := ctx.Err(); err != nil {
		return store.Info{}, err
	}
	s.note("link", path)
	before := time.Now()
	link := func() error { return publish(t.f, path) }
	switch err := s.do(effect{op: opLink, path: path, file: t.f}, link); {
	case errors.Is(err, fs.ErrExist):
		return s.refused(key, path)
	case err != nil:
		return store.Info{}, err
	}
	return s.finish(key, path, t, before)
}

// replace gives body the name of key if its present token is match.
//
// The token is the modification time, and a replacement always gets a later
// one than what it replaces, so a token never comes back: the A-B-A problem
// of content hashes does not arise.
func (s *Store) replace(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	path := s.path(key)
	if fi, err := os.Stat(path); err != nil || tokenOf(fi.ModTime()) != match { // spare the flush
		return s.refused(key, path)
	}
	if err := s.cas(); err != nil {
		return store.Info{}, err
	}
	t, err := s.writeTemp(ctx, filepath.Dir(path), body)
	if err != nil {
		return store.Info{}, err
	}
	defer t.discard()
	if err := t.sync(); err != nil {
		return store.Info{}, err
	}
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return store.Info{}, err
	}
	defer unlock()
	fi, err := os.Stat(path)
	if err != nil || tokenOf(fi.ModTime()) != match {
		return s.refused(key, path)
	}
	if err := t.laterThan(fi.ModTime()); err != nil {
		return store.Info{}, err
	}
	s.note("rename", path)
	before := time.Now()
	rename := func() error { return replaceFile(t.f, path) }
	if err := s.do(effect{op: opRename, path: path, file: t.f}, rename); err != nil {
		return store.Info{}, err
	}
	t.named = true
	return s.finish(key, path, t, before)
}

// finish makes the new name durable. The name is visible already: an error
// leaves the outcome open.
func (s *Store) finish(key, path string, t *temp, before time.Time) (store.Info, error) {
	t.unname()
	changed, err := namedAt(t.f, path)
	if err != nil { // deleted already
		changed = s.now()
	}
	s.observe(changed, before, time.Now())
	if err := s.flush(filepath.Dir(path), t.dir); err != nil {
		return store.Info{}, fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	now := s.now()
	if now.Before(changed) {
		now = changed
	}
	return store.Info{
		Key: key, Size: t.size, Token: tokenOf(t.modified), Modified: changed, Now: now,
	}, nil
}

// refused tells that key is in another state than the caller named. The
// caller builds on that state, which may be a put that is still to be flushed,
// or our own whose flush has failed: so it is flushed first.
func (s *Store) refused(key, path string) (store.Info, error) {
	fi, err := os.Stat(path)
	switch {
	case err == nil && !fi.Mode().IsRegular():
		// No key, and never will be: the caller would try for ever.
		return store.Info{}, &fs.PathError{Op: "put", Path: path, Err: errNoFile}
	case err == nil:
		if err := s.secureIn(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return store.Info{}, err
		}
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return store.Info{}, &fs.PathError{Op: "put", Path: path, Err: errNowhere}
		}
	case !isNotDir(err):
		return store.Info{}, err
	}
	return store.Info{Now: s.now()}, fmt.Errorf("put %s: %w", key, store.ErrPrecondition)
}

var errNoFile = errors.New("this is a directory or some other thing that is not a file")
