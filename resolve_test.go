package registry

import (
	"errors"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

// Resolve returns the version that each kind of reference means, with its tag or
// range, and sends the same requests as Info.
func TestResolve(t *testing.T) {
	onEveryStore(t, func(t *testing.T, st store.Store) {
		trace := tracestore.New(st)
		r := openOn(t, trace, nil)
		mustSave(t, r, "m", "first")
		mustSave(t, r, "m", "second", WithTag("prod"))
		mustSave(t, r, "m", "third", WithVersion("2.0.0"))
		digest := must[*Info](t)(r.Info(t.Context(), "m@1.0.1")).Digest
		for _, c := range []struct{ ref, version, tag, rng string }{
			{"m", "2.0.0", "", ""},
			{"m@latest", "2.0.0", "", ""},
			{"m@1", "1.0.0", "", ""},
			{"m@^1", "1.0.1", "", "^1"},
			{"m@>=1 <3", "2.0.0", "", ">=1 <3"},
			{"m@prod", "1.0.1", "prod", ""},
			{"m@" + digest, "1.0.1", "", ""},
		} {
			trace.Reset()
			got := must[*Resolved](t)(r.Resolve(t.Context(), c.ref))
			asked := trace.String()
			trace.Reset()
			info := must[*Info](t)(r.Info(t.Context(), c.ref))
			if want := trace.String(); asked != want {
				t.Errorf("to resolve %s takes\n%sbut Info\n%s", c.ref, asked, want)
			}
			want := Resolved{Name: "m", Version: info.Version, Digest: info.Digest, Tag: c.tag, Range: c.rng}
			if *got != want || got.Ref() != "m@"+c.version {
				t.Errorf("%s means %+v, want %s and %+v", c.ref, *got, c.version, want)
			}
		}
		for ref, want := range map[string]error{"m@3": ErrNotFound, "nothing": ErrNotFound, "m@": ErrInvalidRef, "m_": ErrInvalidName} {
			var e *Error
			if _, err := r.Resolve(t.Context(), ref); !errors.Is(err, want) || !errors.As(err, &e) || e.Op != "resolve" || e.Ref != ref {
				t.Errorf("%s: %v, want %v", ref, err, want)
			}
		}
	})
}

func TestSelectors(t *testing.T) {
	r, _ := inMemory(t)
	for _, v := range []string{"0.9.0", "1.0.0", "1.2.0", "1.2.9", "1.2.10", "1.10.0", "2.0.0-rc.1", "2.0.0-rc.2", "3.1.0", "10.0.0-alpha"} {
		mustSave(t, r, "m", v, WithVersion(v))
	}
	for ref, want := range map[string]string{
		"m": "3.1.0", "m@latest": "3.1.0", "m@1": "1.0.0", "m@1.2": "1.2.0", "m@v1.2.9": "1.2.9",
		"m@^1": "1.10.0", "m@^1.2": "1.10.0", "m@~1.2": "1.2.10", "m@~1.2.0": "1.2.10", "m@<1.2": "1.0.0",
		"m@>=1.2 <1.2.10": "1.2.9", "m@>=1.2, <1.3": "1.2.10", "m@<1 || ^3": "3.1.0", "m@1.x": "1.10.0", "m@1.2.x": "1.2.10",
		"m@*": "3.1.0", "m@^2": "", "m@2.0.0-rc.1": "2.0.0-rc.1", "m@>=2.0.0-rc.1 <3": "2.0.0-rc.2", "m@^0.9": "0.9.0", "m@!=3.1.0": "1.10.0",
	} {
		got, err := Load[string](t.Context(), r, ref)
		if want == "" {
			wantErr(t, err, ErrNotFound)
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %s", ref, got, err, want)
		}
	}
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@3.1.0", nil))
	if got := mustLoad[string](t, r, "m"); got != "1.10.0" {
		t.Errorf("latest after deleting it: %s", got)
	}
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@<2", nil))
	if got := mustLoad[string](t, r, "m"); got != "10.0.0-alpha" {
		t.Errorf("latest with pre-releases only: %s", got)
	}
}

// "*" is every version; other ranges hold a pre-release if they name one.
func TestStarMeansAll(t *testing.T) {
	r, _ := inMemory(t)
	for _, v := range []string{"1.0.0-rc.1", "1.0.0", "2.0.0-rc.1"} {
		mustSave(t, r, "pre", v, WithVersion(v))
	}
	for ref, want := range map[string]string{
		"pre@*": "1.0.0", "pre@ * ": "1.0.0", "pre@>=1.0.0-0": "2.0.0-rc.1", "pre@>=1": "1.0.0",
	} {
		if got := mustLoad[string](t, r, ref); got != want {
			t.Errorf("%s is %s, want %s", ref, got, want)
		}
	}
	if all := must[*DeleteReport](t)(r.Delete(t.Context(), "pre@*", nil)).Deleted; len(all) != 3 {
		t.Errorf("all versions are %v", all)
	}
}
