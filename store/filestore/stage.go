package filestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/internal/mechanism"
	"github.com/mindtrace/registry/store"
)

var (
	_ store.Stager    = (*Store)(nil)
	_ store.KeyLister = (*Store)(nil)
)

// Stage implements store.Stager. It writes the body to a temporary file, and
// the disk begins to write it.
func (s *Store) Stage(ctx context.Context, key string, body []byte) (store.Staged, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	if len(body) > store.MaxBody {
		return nil, fmt.Errorf("put %s: %d bytes, the limit is %d", key, len(body), store.MaxBody)
	}
	if !mechanism.Stage || len(body) < s.early {
		return nil, nil
	}
	if _, err := s.status("put", key); err == nil {
		return nil, nil
	}
	t, err := s.writeTemp(ctx, parent(key), body)
	if err != nil {
		return nil, s.done(err, false)
	}
	return &staged{s: s, key: key, t: t}, nil
}

// minStaged is the size in bytes from which staging a body pays.
const minStaged = 1 << 20

// staged is a temporary file that is written and perhaps not flushed.
type staged struct {
	s   *Store
	key string
	t   *temp
}

// Commit implements store.Staged.
func (g *staged) Commit(ctx context.Context, key string) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	return g.s.ended(g.commit(ctx, key))
}

func (g *staged) commit(ctx context.Context, key string) (store.Info, error) {
	if _, err := g.s.status("put", key); err == nil || errors.Is(err, store.ErrForeign) {
		return g.s.refused(key)
	}
	if err := g.t.sync(); err != nil {
		return store.Info{}, err
	}
	if !g.t.named && parent(key) == parent(g.key) {
		return g.s.name(ctx, key, g.t)
	}
	// The body is committed under a key in another directory, or once more.
	body := make([]byte, g.t.size)
	if err := readAt(ctx, g.t.f, body, 0); err != nil {
		return store.Info{}, err
	}
	return g.s.create(ctx, key, body)
}

// Discard implements store.Staged.
func (g *staged) Discard() { g.t.discard() }
