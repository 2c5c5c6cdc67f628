package store

import (
	"context"
	"iter"
)

// wrappedKeys is Keys for a Store that wraps st: nil if st lists keys no more
// cheaply than by List, which the wrapper has too.
func wrappedKeys(ctx context.Context, st Store, prefix, after string) iter.Seq2[string, error] {
	if l, ok := st.(KeyLister); ok {
		return l.Keys(ctx, prefix, after)
	}
	return nil
}

// wrappedStage is Stage for a Store that wraps st. wrap adds to Commit what the
// wrapper's Put does; it is not called if st takes no body early.
func wrappedStage(ctx context.Context, st Store, key string, body []byte, wrap func(Staged) Staged) (Staged, error) {
	s, taken, err := Stage(ctx, st, key, body)
	if err != nil || !taken {
		return nil, err
	}
	return wrap(s), nil
}
