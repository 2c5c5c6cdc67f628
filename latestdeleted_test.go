package registry

import (
	"context"
	"slices"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
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
				must[*DeleteReport](t)(other.Delete(context.Background(), "m@"+second.String(), nil))
			}
		}
		return f
	})
	if got := mustLoad[string](t, r, "m"); got != "third" || !met {
		t.Errorf("the latest is %q; first was not the latest at any time", got)
	}
}

// The same while objects are listed, or copied to where only the latest
// version counts: the object was there all the time, and is not left out.
func TestListingAmongDeletions(t *testing.T) {
	for name, look := range map[string]func(t *testing.T, r *Registry) []string{
		"list": func(t *testing.T, r *Registry) (got []string) {
			for info, err := range r.Latest(t.Context(), "") {
				if err != nil {
					t.Error(err)
				}
				got = append(got, info.Ref())
			}
			return got
		},
		"copy of a range": func(t *testing.T, r *Registry) (got []string) {
			to := openOn(t, memstore.New(nil), &Options{Unversioned: true})
			rep, err := Copy(t.Context(), to, r, "m@*", nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range rep.Copied {
				got = append(got, mustLoad[string](t, to, c.Name))
			}
			return got
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, fst, mem := faulty(t)
			other := openOn(t, mem, nil)
			first := mustSave(t, r, "m", "first")
			met := false
			fst.Plan(func(c faultstore.Call) (f faultstore.Fault) {
				if c.Op == "get" && c.Key == manifest.VersionKey("m", first) && !met {
					met = true
					f.Do = func() {
						mustSave(t, other, "m", "second")
						must[*DeleteReport](t)(other.Delete(context.Background(), "m@"+first.String(), nil))
					}
				}
				return f
			})
			want := []string{"m@1.0.1"}
			if name == "copy of a range" {
				want = []string{"second"}
			}
			if got := look(t, r); !slices.Equal(got, want) || !met {
				t.Errorf("found %q, not %q", got, want)
			}
		})
	}
}
