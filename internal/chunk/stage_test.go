package chunk

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

// stagingStore takes bodies early, and names them only when enough are there.
type stagingStore struct {
	store.Store
	hold int // how many to wait for

	mu     sync.Mutex
	staged int
	held   chan struct{}
	open   int // not discarded
}

func newStagingStore(hold int) *stagingStore {
	return &stagingStore{Store: memstore.New(nil), hold: hold, held: make(chan struct{})}
}

func (s *stagingStore) Stage(_ context.Context, _ string, body []byte) (store.Staged, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	if s.staged++; s.staged == s.hold {
		close(s.held)
	}
	return &stagedBody{s, slices.Clone(body)}, nil
}

type stagedBody struct {
	s    *stagingStore
	body []byte
}

func (b *stagedBody) Commit(ctx context.Context, key string) (store.Info, error) {
	select {
	case <-b.s.held:
	case <-ctx.Done():
		return store.Info{}, ctx.Err()
	}
	return b.s.Put(ctx, key, b.body, store.Absent)
}

func (b *stagedBody) Discard() {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.open--
}

// A pack that the store has taken in holds no buffer while it is made
// durable: more packs are under way than there are buffers. Nothing is
// finished before all of them are.
func TestStagedPacksHoldNoBuffers(t *testing.T) {
	files := []named{{"a", noise(1, 6*MaxPack)}}
	for _, c := range []struct {
		name       string
		hold, puts int
	}{{"one put at a time", 5, 1}, {"several", 6, 4}} {
		t.Run(c.name, func(t *testing.T) {
			st := newStagingStore(c.hold)
			cfg := config(st, nil)
			cfg.Buffers, cfg.Puts = 4, c.puts
			m, res := write(t, cfg, files)
			check(t, st, m, files)
			if st.open != 0 {
				t.Errorf("%d staged bodies were not let go", st.open)
			}
			if st.staged != len(res.Packs) {
				t.Errorf("%d bodies staged for %d packs", st.staged, len(res.Packs))
			}
		})
	}
}

// A save that fails lets go of what it has staged.
func TestAbortLetsGoOfStaged(t *testing.T) {
	st := newStagingStore(1000)
	w := NewWriter(t.Context(), config(st, nil))
	fw, err := w.Create("a", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fw.Write(noise(1, 4*MaxPack)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if st.open != 0 {
		t.Errorf("%d staged bodies were not let go", st.open)
	}
	for info := range st.List(t.Context(), "", "") {
		t.Errorf("there is %s", info.Key)
	}
}
