package wrapstore

import (
	"context"
	"errors"
	"iter"

	"github.com/mindtrace/registry/store"
)

// Paced returns st with a wrapper that limits large transfers by the paces gets
// and puts. Retry goes around it, so that a transfer does not count while Retry
// waits.
func Paced(st store.Store, gets, puts *Pace) store.Store {
	return paced{st, gets, puts}
}

// largeTransfer is the smallest transfer that counts, in bytes.
const largeTransfer = 256 << 10

type paced struct {
	store.Store
	gets, puts *Pace
}

// Unwrap returns the store below.
func (p paced) Unwrap() store.Store { return p.Store }

// Get implements Store.
func (p paced) Get(ctx context.Context, key string, opts *store.GetOptions) (body []byte, info store.Info, err error) {
	if opts == nil || opts.Length < largeTransfer {
		return p.Store.Get(ctx, key, opts)
	}
	if err := p.gets.begin(ctx); err != nil {
		return nil, store.Info{}, err
	}
	defer func() { p.gets.end(int64(len(body)), tooMuch(ctx, err)) }()
	return p.Store.Get(ctx, key, opts)
}

// Put implements Store.
func (p paced) Put(ctx context.Context, key string, body []byte, match store.Token) (info store.Info, err error) {
	if len(body) < largeTransfer {
		return p.Store.Put(ctx, key, body, match)
	}
	if err := p.puts.begin(ctx); err != nil {
		return store.Info{}, err
	}
	defer func() { p.puts.end(int64(len(body)), tooMuch(ctx, err)) }()
	return p.Store.Put(ctx, key, body, match)
}

// tooMuch reports whether an error may mean that the store is overloaded: 429,
// 503 and other temporary errors.
func tooMuch(ctx context.Context, err error) bool {
	return ctx.Err() == nil && (errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown))
}

// Keys implements KeyLister.
func (p paced) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return KeysBelow(ctx, p.Store, prefix, after)
}

// Stage implements Stager. Staged bodies are not limited: the store takes them
// in at once.
func (p paced) Stage(ctx context.Context, key string, body []byte) (store.Staged, error) {
	return StageBelow(ctx, p.Store, key, body, func(s store.Staged) store.Staged { return s })
}
