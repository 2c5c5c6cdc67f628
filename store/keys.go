package store

import (
	"context"
	"iter"
	"time"
)

// KeyLister is what a Store is besides, if to list keys is much cheaper than
// to list what is known of them.
type KeyLister interface {
	// Keys yields the keys that List yields, in the same order and as complete,
	// with the same errors.
	Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error]
}

// Keys lists the keys of any store.
func Keys(ctx context.Context, st Store, prefix, after string) iter.Seq2[string, error] {
	if lister, ok := st.(KeyLister); ok {
		return lister.Keys(ctx, prefix, after)
	}
	return func(yield func(string, error) bool) {
		for info, err := range st.List(ctx, prefix, after) {
			if !yield(info.Key, err) {
				return
			}
		}
	}
}

// watchedLister is a watched store that is a KeyLister. Keys tell no time, so
// the clock learns nothing from them.
type watchedLister struct{ watched }

// Keys implements KeyLister.
func (w watchedLister) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return Keys(ctx, w.st, prefix, after)
}

// loggedLister is a logged store that is a KeyLister.
type loggedLister struct{ logged }

// Keys implements KeyLister.
func (l loggedLister) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		start, keys, failed := time.Now(), int64(0), error(nil)
		for key, err := range Keys(ctx, l.st, prefix, after) {
			keys++
			failed = err
			if !yield(key, err) {
				break
			}
		}
		l.note(ctx, start, "list", prefix, keys, failed)
	}
}
