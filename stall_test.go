package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// A store that accepts writes and stalls may have applied them: a write is repeated
// once. A try takes twenty seconds, so forty tries would take a quarter of an hour.
func TestWritesToAStallingStore(t *testing.T) {
	stalled := fmt.Errorf("%w: %w", store.ErrUnknown, store.ErrStalled)
	for name, c := range map[string]struct {
		key string // what the writes that stall go to
		do  func(ctx context.Context, r *Registry) error
	}{
		"save": {"objects/", func(ctx context.Context, r *Registry) error {
			_, err := r.Save(ctx, "m", "v2")
			return err
		}},
		"save of a pack": {"packs/", func(ctx context.Context, r *Registry) error {
			_, err := r.Save(ctx, "m", noise(1, 1<<20))
			return err
		}},
		"tag":    {"tags/", func(ctx context.Context, r *Registry) error { return errOf(r.Tag(ctx, "m@1.0.0", "prod", nil)) }},
		"delete": {"objects/", func(ctx context.Context, r *Registry) error { _, err := r.Delete(ctx, "m@1.0.0", nil); return err }},
		"lock": {"locks/", func(ctx context.Context, r *Registry) error {
			_, _, err := r.Lock(ctx, "m", nil)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, fst, _ := faulty(t)
			if _, err := r.Save(t.Context(), "m", "v1"); err != nil {
				t.Fatal(err)
			}
			var puts atomic.Int32
			fst.Plan(func(call faultstore.Call) faultstore.Fault {
				if call.Op != "put" || !strings.Contains(call.Key, c.key) {
					return faultstore.Fault{}
				}
				puts.Add(1)
				return faultstore.Fault{Before: stalled}
			})
			err := c.do(t.Context(), r)
			if !errors.Is(err, store.ErrStalled) || puts.Load() != 2 {
				t.Errorf("%d puts, want 2; %v", puts.Load(), err)
			}
			if name != "save of a pack" && name != "lock" && !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("%v is not ErrOutcomeUnknown", err)
			}
		})
	}
}
