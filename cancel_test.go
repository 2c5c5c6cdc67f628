package registry

import (
	"context"
	"errors"
	"testing"

	"github.com/mindtrace/registry/store/memstore"
)

// A listing that is cancelled says so. It does not end as if it were complete.
func TestCancelledListing(t *testing.T) {
	r := openOn(t, memstore.New(nil), nil)
	for range 3 {
		mustSave(t, r, "m", "x")
	}
	for n := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		var last error
		if n%2 == 0 {
			cancel()
		}
		for _, err := range r.Versions(ctx, "m") {
			cancel()
			last = err
		}
		cancel()
		if !errors.Is(last, context.Canceled) {
			t.Fatalf("run %d: the listing ended with %v", n, last)
		}
	}
}
