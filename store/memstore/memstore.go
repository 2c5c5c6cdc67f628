// Package memstore keeps a store in memory. It is the strictest reading of
// the contract in package store — every call is one atomic step, a listing is
// one snapshot — and so the reference for every other backend, and the store
// to use in tests.
//
// URLs: "mem:" is a new, empty store; "mem://name" is one store for all users
// of that name in the process.
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

func init() {
	var shared sync.Map
	store.Register("mem", func(_ context.Context, u *url.URL) (store.Store, error) {
		if u.Path != "" || u.RawQuery != "" || u.Opaque != "" {
			return nil, fmt.Errorf("memory store %q: write mem: or mem://name", u)
		}
		if u.Host == "" {
			return New(nil), nil
		}
		st, _ := shared.LoadOrStore(u.Host, New(nil))
		return st.(store.Store), nil
	})
}

// Options for New. nil means the zero value.
type Options struct {
	Now func() time.Time // the store's clock; nil: time.Now
}

// New returns an empty store.
func New(opts *Options) *Store {
	s := &Store{objects: map[string]object{}, dirs: map[string]int{}, clock: time.Now}
	if opts != nil && opts.Now != nil {
		s.clock = opts.Now
	}
	return s
}

// Store is a store in memory.
type Store struct {
	clock func() time.Time

	mu      sync.Mutex
	objects map[string]object
	dirs    map[string]int // how many keys lie below each path
	puts    uint64         // applied so far: the source of tokens
	last    time.Time      // the latest time that now has returned
}

type object struct {
	body     []byte
	token    store.Token
	modified time.Time
}

func (o object) info(key string, now time.Time) store.Info {
	return store.Info{Key: key, Size: int64(len(o.body)), Token: o.token, Modified: o.modified, Now: now}
}

// now returns the clock's time, or the last one if the clock was set back. s.mu
// is held.
func (s *Store) now() time.Time {
	if t := s.clock().Round(0); t.After(s.last) {
		s.last = t
	}
	return s.last
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return nil, store.Info{Now: s.now()}, fmt.Errorf("get %s: %w", key, store.ErrNotExist)
	}
	var buf []byte
	body := o.body
	if opts != nil {
		buf = opts.Buffer
		body = body[min(opts.Offset, int64(len(body))):]
		if opts.Length > 0 {
			body = body[:min(opts.Length, int64(len(body)))]
		}
	}
	if err := opts.TooMany(key, int64(len(body))); err != nil {
		return nil, store.Info{Now: s.now()}, err
	}
	return append(buf[:0], body...), o.info(key, s.now()), nil
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return store.Info{Now: s.now()}, fmt.Errorf("stat %s: %w", key, store.ErrNotExist)
	}
	return o.info(key, s.now()), nil
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	if len(body) > store.MaxBody {
		return store.Info{}, fmt.Errorf("put %s: %d bytes, the limit is %d", key, len(body), store.MaxBody)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects[key].token != match {
		return store.Info{Now: s.now()}, fmt.Errorf("put %s: %w", key, store.ErrPrecondition)
	}
	if match == store.Absent {
		if s.nested(key) {
			return store.Info{}, fmt.Errorf("put %s: the caller broke its promise: one of this key and another key is a path prefix of the other", key)
		}
		for dir := range parents(key) {
			s.dirs[dir]++
		}
	}
	s.puts++
	o := object{bytes.Clone(body), store.Token(strconv.FormatUint(s.puts, 10)), s.now()}
	s.objects[key] = o
	return o.info(key, o.modified), nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[key]; ok {
		delete(s.objects, key)
		for dir := range parents(key) {
			s.dirs[dir]--
		}
	}
	return nil
}

// List implements store.Store. It shows the state at the time of the call.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		s.mu.Lock()
		now := s.now()
		var found []store.Info
		for key, o := range s.objects {
			if strings.HasPrefix(key, prefix) && key > after {
				found = append(found, o.info(key, now))
			}
		}
		s.mu.Unlock()
		slices.SortFunc(found, func(a, b store.Info) int { return strings.Compare(a.Key, b.Key) })
		for _, info := range found {
			if err := ctx.Err(); err != nil {
				yield(store.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.Info{}, err)
		}
	}
}

// Now implements store.Store.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now(), nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ValidKey(key)
}

// nested reports whether key is a path prefix of another key or the other
// way round: on a file system one of them would be a directory. s.mu is held.
func (s *Store) nested(key string) bool {
	for dir := range parents(key) {
		if _, ok := s.objects[dir]; ok {
			return true
		}
	}
	return s.dirs[key] > 0
}

// parents yields "a/b" and "a" for "a/b/c".
func parents(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := strings.LastIndexByte(key, '/'); i >= 0; i = strings.LastIndexByte(key[:i], '/') {
			if !yield(key[:i]) {
				return
			}
		}
	}
}
