package storecheck_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/storecheck"
)

// badNetwork loses a share of the puts, or the answers to them, and makes some
// of them twice.
type badNetwork struct {
	store.Store
	mu  sync.Mutex
	rng *rand.Rand
}

func (b *badNetwork) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	b.mu.Lock()
	fate := b.rng.IntN(20)
	b.mu.Unlock()
	switch fate {
	case 0:
		return store.Info{}, fmt.Errorf("lost: %w", store.ErrUnknown)
	case 1:
		b.Store.Put(ctx, key, body, match)
		return store.Info{}, fmt.Errorf("answer lost: %w", store.ErrUnknown)
	case 2:
		b.Store.Put(ctx, key, body, match)
	}
	return b.Store.Put(ctx, key, body, match)
}

// A sound store is not called unsafe because of the network before it, and an
// unsafe one is found behind it.
func TestProbeBehindABadNetwork(t *testing.T) {
	for _, name := range []string{"", "create-existing", "cas-absent", "list-order"} {
		for seed := range uint64(20) {
			d := &defect{Store: memstore.New(nil)}
			if name != "" {
				defects[name](d)
			}
			b := &badNetwork{Store: d, rng: rand.New(rand.NewPCG(seed, 0))}
			err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: []store.Store{b, b, b, b}, Prefix: "p/"})
			if name == "" && err != nil || name != "" && !errors.Is(err, storecheck.ErrBroken) {
				t.Errorf("defect %q, seed %d: %v", name, seed, err)
			}
		}
	}
}
