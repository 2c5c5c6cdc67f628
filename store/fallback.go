package store

import (
	"context"
	"iter"
)

// Keys lists the keys of any store, with KeyLister.Keys where s has it and
// with List otherwise. Order, completeness and errors are those of List.
func Keys(ctx context.Context, s Store, prefix, after string) iter.Seq2[string, error] {
	if l, ok := s.(KeyLister); ok {
		if keys := l.Keys(ctx, prefix, after); keys != nil {
			return keys
		}
	}
	return func(yield func(string, error) bool) {
		for info, err := range s.List(ctx, prefix, after) {
			if !yield(info.Key, err) {
				return
			}
		}
	}
}

// Stage begins a Put of a new key on any store. It returns the Staged body,
// which the caller ends with Commit, Discard, or both. taken reports whether
// the store has copied the body; if not, the body must not change until
// Discard.
func Stage(ctx context.Context, s Store, key string, body []byte) (st Staged, taken bool, err error) {
	if stager, ok := s.(Stager); ok {
		st, err := stager.Stage(ctx, key, body)
		if st != nil || err != nil {
			return st, st != nil, err
		}
	}
	return unstaged{s, body}, false, nil
}

// unstaged is a Staged for a store that is not a Stager: Commit is a plain Put.
type unstaged struct {
	s    Store
	body []byte
}

func (u unstaged) Commit(ctx context.Context, key string) (Info, error) {
	return u.s.Put(ctx, key, u.body, Absent)
}

func (u unstaged) Discard() {}
