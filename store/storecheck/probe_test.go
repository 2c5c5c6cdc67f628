package storecheck_test

import (
	"errors"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/storecheck"
)

func TestProbe(t *testing.T) {
	mem := memstore.New(nil)
	if err := storecheck.Probe(t.Context(), []store.Store{mem}); err != nil {
		t.Error(err)
	}
	for info := range mem.List(t.Context(), "", "") {
		t.Errorf("the probe left %s", info.Key)
	}
}

// The probe finds the defects that real servers have.
func TestProbeFindsDefects(t *testing.T) {
	for _, name := range []string{"create-one-winner", "create-existing", "cas-absent", "tokens", "list-order"} {
		t.Run(name, func(t *testing.T) {
			d := &defect{Store: memstore.New(nil)}
			defects[name](d)
			err := storecheck.Probe(t.Context(), []store.Store{d, d})
			if !errors.Is(err, storecheck.ErrUnfit) {
				t.Errorf("the probe says %v", err)
			}
		})
	}
}
