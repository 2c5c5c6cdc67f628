package registry

import (
	"context"
	"testing"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store/faultstore"
)

// The latest version is deleted while it is looked for, but not before the
// next one was saved: what lies below both never was the latest.
func TestLatestAmongDeletions(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	for _, v := range []string{"first", "second"} {
		mustSave(t, r, "m", v)
	}
	second := must[*Info](t)(r.Info(t.Context(), "m")).Version
	met := false
	fst.Plan(func(c faultstore.Call) (f faultstore.Fault) {
		if c.Op == "get" && c.Key == manifest.VersionKey("m", second) && !met {
			met = true
			f.Do = func() {
				mustSave(t, other, "m", "third")
				must[[]Version](t)(other.Delete(context.Background(), "m@"+second.String()))
			}
		}
		return f
	})
	if got := mustLoad[string](t, r, "m"); got != "third" || !met {
		t.Errorf("the latest is %q; first was not the latest at any time", got)
	}
}
