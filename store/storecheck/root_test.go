package storecheck_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/storecheck"
)

// movable is a store at a place where another may come to be.
type movable struct {
	store.Store
	opened, place *memstore.Store
	anew          bool // it goes on with what is at the place
}

func (m *movable) at() (store.Store, error) {
	if m.opened == m.place || m.anew {
		return m.place, nil
	}
	return nil, store.ErrNoRoot
}

func (m *movable) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	st, err := m.at()
	if err != nil {
		return nil, store.Info{}, err
	}
	return st.Get(ctx, key, o)
}

func (m *movable) Stat(ctx context.Context, key string) (store.Info, error) {
	st, err := m.at()
	if err != nil {
		return store.Info{}, err
	}
	return st.Stat(ctx, key)
}

func (m *movable) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	st, err := m.at()
	if err != nil {
		return store.Info{}, err
	}
	return st.Put(ctx, key, body, match)
}

func (m *movable) Delete(ctx context.Context, key string) error {
	st, err := m.at()
	if err != nil {
		return err
	}
	return st.Delete(ctx, key)
}

func (m *movable) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	st, err := m.at()
	if err != nil {
		return func(yield func(store.Info, error) bool) { yield(store.Info{}, err) }
	}
	return st.List(ctx, prefix, after)
}

func (m *movable) Now(ctx context.Context) (time.Time, error) {
	st, err := m.at()
	if err != nil {
		return time.Time{}, err
	}
	return st.Now(ctx)
}

// The check of clause 17 finds a store that goes on with what is at its place,
// and passes one that does not.
func TestRootFindsItsDefect(t *testing.T) {
	for _, anew := range []bool{false, true} {
		root := memstore.New(nil)
		m := &movable{opened: root, place: root, anew: anew}
		err := storecheck.Root(t.Context(), storecheck.Place{
			Open: func() (store.Store, error) { return m, nil },
			Ways: []storecheck.Way{{Name: "replaced", Lose: func() (func() (string, error), func() error, error) {
				m.place = memstore.New(nil)
				seen := func() (string, error) {
					var all string
					for info := range m.place.List(t.Context(), "", "") {
						all += info.Key + " "
					}
					return all, nil
				}
				return seen, func() error { m.place = root; return nil }, nil
			}}},
		})
		if failed := err != nil; failed != anew {
			t.Errorf("a store that goes on (%v): %v", anew, err)
		}
	}
}
