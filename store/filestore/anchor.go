package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/mindtrace/registry/store"
)

var _ store.Anchorer = (*Store)(nil)

// anchor is a key that must exist with the right body. Without it the root is
// not the registry that was opened, even if it is the same directory: somebody
// has emptied it, or filled it with something else.
type anchor struct {
	key   string
	check func(body []byte) error
	seen  atomic.Pointer[status] // the state that was checked last
}

// Anchor implements store.Anchorer.
func (s *Store) Anchor(key string, check func(body []byte) error) {
	s.anchor.Store(&anchor{key: key, check: check})
}

// anchored returns an error unless the anchor exists and is the right one.
func (s *Store) anchored() error {
	a := s.anchor.Load()
	if a == nil {
		return nil
	}
	st, err := s.state(a.key)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is gone from %s; restore the directory", store.ErrNoRoot, a.key, s.root)
	}
	if err != nil {
		return err
	}
	if was := a.seen.Load(); was != nil && *was == st {
		return nil
	}
	body, _, err := s.getAgain(context.Background(), a.key, &store.GetOptions{})
	if err != nil {
		return err
	}
	if err := a.check(body); err != nil {
		return as(store.ErrNoRoot, err)
	}
	a.seen.Store(&st)
	return nil
}
