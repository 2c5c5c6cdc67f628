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
