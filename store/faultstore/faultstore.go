// Package faultstore makes a store fail on purpose, like real stores do:
// a request never arrives, an answer is lost after the request was applied,
// a request is applied late. Tests wrap a store with [New], and a plan decides
// for each [Call] which [Fault] it gets.
package faultstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// Call is a request that is about to be made.
type Call struct {
	N   int    // how many calls of all kinds came before this one
	Op  string // "get", "stat", "put", "delete", "list", "now"
	Key string // the key, or the prefix of a list
}

// Fault is what happens to a call. The zero value lets it pass.
type Fault struct {
	// Before, if not nil, is the error of a request that is not made.
	Before error
	// After, if not nil, is the error of a request that is made and applied.
	After error
	// Late makes a Put or Delete return store.ErrUnknown at once. Release
	// applies it.
	Late bool
	// Do, if not nil, is called first: to pause, to cancel, or to let others
	// act.
	Do func()
	// Body, if not nil, changes what a Get returns.
	Body func([]byte) []byte
}

// Store passes calls on to another store unless its plan says otherwise.
type Store struct {
	st store.Store

	mu   sync.Mutex
	plan func(Call) Fault
	n    int
	late []func()
}

// New returns a Store on st. plan is asked before each call, one at a time;
// nil lets all pass.
func New(st store.Store, plan func(Call) Fault) *Store { return &Store{st: st, plan: plan} }

// Unwrap returns the store below.
func (s *Store) Unwrap() store.Store { return s.st }

// Plan replaces the plan, and counts calls from 0 again.
func (s *Store) Plan(plan func(Call) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.n = plan, 0
}

// Calls returns how many calls were made since the plan was set.
func (s *Store) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Release applies the requests that a Fault has made late.
func (s *Store) Release() {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	for _, land := range late {
		land()
	}
}

func (s *Store) ask(op, key string) Fault {
	s.mu.Lock()
	plan, c := s.plan, Call{s.n, op, key}
	s.n++
	var f Fault
	if plan != nil {
		f = plan(c)
	}
	s.mu.Unlock()
	if f.Do != nil {
		f.Do()
	}
	return f
}

// do makes a call, with the fault that the plan gives it.
func (s *Store) do(op, key string, call func() error) error {
	f := s.ask(op, key)
	switch {
	case f.Before != nil:
		return fmt.Errorf("%s %s: %w", op, key, f.Before)
	case f.Late:
		s.mu.Lock()
		s.late = append(s.late, func() { call() })
		s.mu.Unlock()
		return fmt.Errorf("%s %s: %w", op, key, store.ErrUnknown)
	}
	err := call()
	if f.After != nil {
		return fmt.Errorf("%s %s: %w", op, key, f.After)
	}
	return err
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, o *store.GetOptions) (body []byte, info store.Info, err error) {
	f := s.ask("get", key)
	if f.Before != nil {
		return nil, store.Info{}, fmt.Errorf("get %s: %w", key, f.Before)
	}
	body, info, err = s.st.Get(ctx, key, o)
	if f.Body != nil && err == nil {
		body = f.Body(body)
	}
	if f.After != nil {
		return nil, store.Info{}, fmt.Errorf("get %s: %w", key, f.After)
	}
	return body, info, err
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, key string) (info store.Info, err error) {
	err = s.do("stat", key, func() error {
		info, err = s.st.Stat(ctx, key)
		return err
	})
	return info, err
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	var info store.Info
	err := s.do("put", key, func() (err error) {
		info, err = s.st.Put(context.WithoutCancel(ctx), key, body, match)
		return err
	})
	switch {
	case errors.Is(err, store.ErrUnknown):
		return store.Info{}, err // a late request may be writing info at this moment
	case err != nil:
		info = store.Info{Now: info.Now}
	}
	return info, err
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.do("delete", key, func() error { return s.st.Delete(context.WithoutCancel(ctx), key) })
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		f := s.ask("list", prefix)
		if err := f.Before; err != nil {
			yield(store.Info{}, fmt.Errorf("list %s: %w", prefix, err))
			return
		}
		for info, err := range s.st.List(ctx, prefix, after) {
			if !yield(info, err) {
				return
			}
		}
		if err := f.After; err != nil {
			yield(store.Info{}, fmt.Errorf("list %s: %w", prefix, err))
		}
	}
}

// Now implements store.Store.
func (s *Store) Now(ctx context.Context) (at time.Time, err error) {
	err = s.do("now", "", func() error {
		at, err = s.st.Now(ctx)
		return err
	})
	return at, err
}
