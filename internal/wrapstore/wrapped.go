package wrapstore

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/store"
)

// KeysBelow implements Keys for a wrapper of st. It returns nil if st cannot
// list keys more cheaply than List, which the wrapper has too.
func KeysBelow(ctx context.Context, st store.Store, prefix, after string) iter.Seq2[string, error] {
	if l, ok := st.(store.KeyLister); ok {
		return l.Keys(ctx, prefix, after)
	}
	return nil
}

// StageBelow implements Stage for a wrapper of st. wrap adds to Commit what the
// wrapper's Put does. It is not called if st takes no body early.
func StageBelow(ctx context.Context, st store.Store, key string, body []byte, wrap func(store.Staged) store.Staged) (store.Staged, error) {
	s, taken, err := store.Stage(ctx, st, key, body)
	if err != nil || !taken {
		return nil, err
	}
	return wrap(s), nil
}
