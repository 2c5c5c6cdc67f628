package storetest

import (
	"testing"

	"github.com/mindtrace/registry/store/storecheck"
)

// Root runs the check of clause 17 on a store whose root can be taken away,
// each way as a subtest.
func Root(t *testing.T, p storecheck.Place) {
	t.Helper()
	for _, w := range p.Ways {
		t.Run(w.Name, func(t *testing.T) {
			one := p
			one.Ways = []storecheck.Way{w}
			if err := storecheck.Root(t.Context(), one); err != nil {
				t.Errorf("clause 17: a store never makes its own root, and never writes to another than the one opened\n%v", err)
			}
		})
	}
}
