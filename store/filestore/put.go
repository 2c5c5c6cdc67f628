package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/mindtrace/registry/internal/oserror"
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
	var info store.Info
	err := s.lend(ctx, func() (err error) {
		if match == store.Absent {
			info, err = s.create(ctx, key, body)
		} else {
			info, err = s.replace(ctx, key, body, match)
		}
		return err
	})
	return s.ended(info, err)
}

// ended returns the results of a put, after a last look at the root.
func (s *Store) ended(info store.Info, err error) (store.Info, error) {
	if err = s.done(err, err == nil); err != nil {
		return store.Info{Now: info.Now}, err
	}
	return info, nil
}

// create gives body the name of key if that name is free.
func (s *Store) create(ctx context.Context, key string, body []byte) (store.Info, error) {
	if _, err := s.status("put", key); err == nil || errors.Is(err, store.ErrForeign) { // saves the flush; the link is what decides
		return s.refused(key)
	}
	t, err := s.writeTemp(ctx, parent(key), body)
	if err != nil {
		return store.Info{}, err
	}
	defer t.discard()
	if err := t.sync(); err != nil {
		return store.Info{}, err
	}
	return s.name(ctx, key, t)
}

// name gives the flushed file t the name of key if that name is free.
func (s *Store) name(ctx context.Context, key string, t *temp) (store.Info, error) {
	if err := errors.Join(ctx.Err(), s.here()); err != nil {
		return store.Info{}, err
	}
	path := s.path(key)
	s.note("link", path)
	before := time.Now()
	link := func() error { return t.dir.publish(t.f, base(key)) }
	switch err := s.do(effect{op: opLink, path: path, file: t.f}, link); {
	case errors.Is(err, fs.ErrExist):
		return s.refused(key)
	case err != nil:
		return store.Info{}, err
	}
	return s.finish(key, t, before)
}

// replace gives body the name of key if its present token is match.
//
// The token is the modification time. A replacement always gets a later time
// than the file that it replaces, so a token never comes back. The A-B-A
// problem of content hashes does not arise.
func (s *Store) replace(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if st, err := s.state(key); err != nil || tokenOf(st.modified) != match { // saves the flush
		return s.refused(key)
	}
	if err := s.cas.of(s); err != nil {
		return store.Info{}, err
	}
	t, err := s.writeTemp(ctx, parent(key), body)
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
	st, err := s.state(key)
	if err != nil || tokenOf(st.modified) != match {
		return s.refused(key)
	}
	if err := t.laterThan(st.modified); err != nil {
		return store.Info{}, err
	}
	if err := s.here(); err != nil {
		return store.Info{}, err
	}
	path := s.path(key)
	s.note("rename", path)
	before := time.Now()
	rename := func() error { return t.dir.replace(t.f, base(key)) }
	if err := s.do(effect{op: opRename, path: path, file: t.f}, rename); err != nil {
		return store.Info{}, err
	}
	t.named = true
	return s.finish(key, t, before)
}

// state returns the status of the file of key. Anything but a regular file is
// an error.
func (s *Store) state(key string) (status, error) {
	st, err := s.status("put", key)
	if err == nil {
		err = st.regular("put", s.path(key))
	}
	return st, err
}

// finish makes the new name durable. The name is visible already, so after an
// error the outcome is unknown.
func (s *Store) finish(key string, t *temp, before time.Time) (store.Info, error) {
	t.unname()
	st, err := namedAt(t.f, t.dir, base(key))
	if err != nil { // deleted already
		st.changed = s.now()
	}
	s.observe(st.changed, before, time.Now())
	if err := s.flush(t.dir); err != nil {
		return store.Info{}, fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	now := s.now()
	if now.Before(st.changed) {
		now = st.changed
	}
	return store.Info{
		Key: key, Size: t.size, Token: tokenOf(t.modified), Modified: st.changed, Now: now,
	}, nil
}

// refused returns the ErrPrecondition of a put. It flushes the state that it
// found first, because the caller relies on it: it may be the put of another
// process that is not flushed yet, or an own one whose flush has failed.
func (s *Store) refused(key string) (store.Info, error) {
	st, err := s.status("put", key)
	switch {
	case err == nil && !st.mode.IsRegular():
		// This can never become a key. With ErrPrecondition the caller would
		// try for ever.
		return store.Info{}, foreign("put", s.path(key), isOther)
	case err == nil:
		if err := s.secureIn(parent(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return store.Info{}, err
		}
	case oserror.Of(err) != oserror.Absent:
		return store.Info{}, err
	}
	return store.Info{Now: s.now()}, fmt.Errorf("put %s: %w", key, store.ErrPrecondition)
}
