// Package tracestore counts and records the requests that reach a store, so
// that a test can fix what an operation costs. [New] wraps a store; the golden
// files of the registry's tests are texts of [Store.String].
package tracestore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// Store passes every call on to another store and records it. It may be used
// by many goroutines.
type Store struct {
	st store.Store

	mu    sync.Mutex
	calls []Call
}

// Call is one request.
type Call struct {
	Op    string // "get", "stat", "put", "delete", "list", "now"
	Key   string // the key, or the prefix of a list
	Bytes int64  // size of the body sent or received
	Err   error  // what the call returned
}

// New returns a Store that records what reaches st.
func New(st store.Store) *Store { return &Store{st: st} }

// Unwrap returns the store below.
func (s *Store) Unwrap() store.Store { return s.st }

// Reset forgets the calls so far.
func (s *Store) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// Calls returns the calls since the last Reset.
func (s *Store) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Count returns the number of calls of an operation, or of all calls for "".
func (s *Store) Count(op string) int {
	n := 0
	for _, c := range s.Calls() {
		if op == "" || c.Op == op {
			n++
		}
	}
	return n
}

var random = regexp.MustCompile(`\b\d{10}/[0-9a-f]{2}/[0-9a-f]{64}\b`)

// String returns the calls, one a line. Parts of keys that differ from run to
// run are replaced.
func (s *Store) String() string {
	var b strings.Builder
	for _, c := range s.Calls() {
		fmt.Fprintf(&b, "%-6s %s", c.Op, random.ReplaceAllString(c.Key, "<pack>"))
		switch {
		case errors.Is(c.Err, store.ErrPrecondition):
			b.WriteString("  refused")
		case errors.Is(c.Err, store.ErrNotExist):
			b.WriteString("  absent")
		case c.Err != nil:
			b.WriteString("  failed")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *Store) note(op, key string, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{op, key, int64(n), err})
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := s.st.Get(ctx, key, o)
	s.note("get", key, len(body), err)
	return body, info, err
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Info, error) {
	info, err := s.st.Stat(ctx, key)
	s.note("stat", key, 0, err)
	return info, err
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	info, err := s.st.Put(ctx, key, body, match)
	s.note("put", key, len(body), err)
	return info, err
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.st.Delete(ctx, key)
	s.note("delete", key, 0, err)
	return err
}

// page is how many keys a server lists at once.
const page = 1000

// List implements store.Store. It counts as one call for each page of
// a thousand keys. The first page has as many keys as the caller expects.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		s.note("list", prefix, 0, nil)
		left := page
		if n := store.Expected(ctx); n > 0 {
			left = min(n, page)
		}
		for info, err := range s.st.List(ctx, prefix, after) {
			if left == 0 && err == nil {
				s.note("list", prefix, 0, nil)
				left = page
			}
			left--
			if !yield(info, err) {
				return
			}
		}
	}
}

// Now implements store.Store.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	at, err := s.st.Now(ctx)
	s.note("now", "", 0, err)
	return at, err
}
