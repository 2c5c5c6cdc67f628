package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/tracestore"
)

func TestListing(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		for _, name := range []string{"b", "a", "a:b", "A", "a-b", "a:b:c", "gone", "my:model"} {
			mustSave(t, r, name, "x")
		}
		mustSave(t, r, "a", "y")
		must[*DeleteReport](t)(r.Delete(t.Context(), "gone@*", nil))
		var names []string
		for name, err := range r.Objects(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		slices.Sort(names)
		if want := []string{"A", "a", "a-b", "a:b", "a:b:c", "b", "my:model"}; !slices.Equal(names, want) {
			t.Errorf("objects are %q", names)
		}
		latest := map[string]string{}
		for i, err := range r.Latest(t.Context(), "a:") {
			if err != nil {
				t.Fatal(err)
			}
			latest[i.Name] = i.Version.String()
		}
		if !maps.Equal(latest, map[string]string{"a:b": "1.0.0", "a:b:c": "1.0.0"}) {
			t.Errorf("latest of a: are %v", latest)
		}
		for range r.Objects(t.Context(), "") {
			break // may be left at any time
		}
		var versions []string
		for i, err := range r.Versions(t.Context(), "a") {
			if err != nil {
				t.Fatal(err)
			}
			versions = append(versions, i.Version.String())
		}
		if !slices.Equal(versions, []string{"1.0.0", "1.0.1"}) {
			t.Errorf("versions are %q", versions)
		}
		for _, err := range r.Versions(t.Context(), "gone") {
			wantErr(t, err, ErrDeleted)
		}
		n := 0
		for i, err := range r.AllVersions(t.Context(), "gone") {
			if err != nil || i.Deleted == nil {
				t.Errorf("%+v, %v", i, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d deleted versions", n)
		}
		for ref, want := range map[string]bool{"a": true, "a@1.0.1": true, "a@1.0.2": false, "gone": false, "gone@1": false, "none": false} {
			if got := must[bool](t)(r.Has(t.Context(), ref)); got != want {
				t.Errorf("Has(%s) is %v", ref, got)
			}
		}
	})
}

// The first objects of a listing come before the rest has been listed or read.
func TestListingStreams(t *testing.T) {
	const names = 5000
	mem := newStore(t)
	trace := tracestore.New(mem)
	r := openOn(t, trace, nil)
	for i := range names {
		seed(t, mem, fmt.Sprintf("n%05d", i), 1, 1)
	}
	trace.Reset()
	n := 0
	for _, err := range r.Objects(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 10 {
			break
		}
	}
	if lists, gets := trace.Count("list"), trace.Count("get"); lists != 1 || gets > n+2*ledger.Ahead {
		t.Errorf("for %d objects: %d listings, %d registers read", n, lists, gets)
	}
	seed(t, mem, "m", names, names)
	trace.Reset()
	for _, err := range r.Versions(t.Context(), "m") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if lists, gets := trace.Count("list"), trace.Count("get"); lists != 1 || gets > 2*ledger.Ahead {
		t.Errorf("for one version: %d listings, %d registers read", lists, gets)
	}
}

// What no name starts with is no prefix of names.
func TestListingRefusesPrefixes(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "my:w", "x")
	for prefix, ok := range map[string]bool{
		"": true, "m": true, "my:": true, "my:w": true, "my:w-": true, "other": true,
		"my:w/@/": false, "my:w/": false, "_": false, ":": false, "my::": false, "my w": false, "my:w@1": false,
	} {
		for _, err := range r.Objects(t.Context(), prefix) {
			if ok != (err == nil) {
				t.Errorf("%q: %v", prefix, err)
			}
			if !ok {
				wantErr(t, err, ErrInvalidName)
				ok = true
			}
		}
		if !ok {
			t.Errorf("%q is a prefix", prefix)
		}
	}
}

// A listing that was cancelled says so: it never ends as if it were complete.
func TestCancelledListing(t *testing.T) {
	r, _ := inMemory(t)
	const n = 3 * ledger.Ahead
	for i := range n {
		mustSave(t, r, fmt.Sprintf("o%03d", i), "x")
		mustSave(t, r, "many", "x")
	}
	for stop := 1; stop < n; stop += 7 {
		for name, list := range map[string]func(context.Context, func(error) bool){
			"objects": func(ctx context.Context, each func(error) bool) {
				r.Objects(ctx, "o")(func(_ string, err error) bool { return each(err) })
			},
			"versions": func(ctx context.Context, each func(error) bool) {
				r.Versions(ctx, "many")(func(_ Info, err error) bool { return each(err) })
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			got, last := 0, error(nil)
			list(ctx, func(err error) bool {
				if last = err; err == nil {
					if got++; got == stop {
						cancel()
					}
				}
				return true
			})
			cancel()
			if got < n && !errors.Is(last, context.Canceled) {
				t.Errorf("%s, cancelled after %d: ends after %d of %d with %v", name, stop, got, n, last)
			}
		}
	}
}

// A listing that is cancelled says so, also if what it has read ahead by then is
// all that its caller looks at before it ends.
func TestListingCancelledBehindItsReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := openOn(t, memstore.New(nil), nil)
		for range ledger.Ahead + 5 {
			mustSave(t, r, "m", "x")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n, last := 0, error(nil)
		for _, err := range r.Versions(ctx, "m") {
			if n++; n == 1 {
				synctest.Wait() // what is read ahead has been read
				cancel()
				synctest.Wait()
			}
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("it ends after %d versions, with %v", n, last)
		}
	})
}

// One damaged register hides neither the other objects nor the other
// versions, and the name can be saved to.
func TestDamagedRegisterIsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		want   error
	}{
		"damaged": {func(b []byte) []byte { return b[:len(b)/2] }, ErrIntegrity},
		"of future": {func([]byte) []byte {
			return []byte(`{"kind":"version","format":99,"nonce":"00000000000000000000000000000000"}`)
		}, ErrNewer},
	} {
		t.Run(name, func(t *testing.T) {
			r, st := inMemory(t)
			body := noise(1, 1<<20)
			for _, o := range []string{"a", "m", "m", "m", "z"} {
				mustSave(t, r, o, body)
			}
			overwrite(t, st, manifest.VersionKey("m", Version{Major: 1, Patch: 2}), c.damage)

			names, bad := 0, ""
			for name, err := range r.Objects(t.Context(), "") {
				if err != nil {
					wantErr(t, err, c.want)
					bad = name
					continue
				}
				names++
			}
			if names != 2 || bad != "m" {
				t.Errorf("%d objects are listed, the bad one is %q", names, bad)
			}
			versions := 0
			for info, err := range r.Versions(t.Context(), "m") {
				if err != nil {
					wantErr(t, err, c.want)
					bad = info.Ref()
					continue
				}
				versions++
			}
			if versions != 2 || bad != "m@1.0.2" {
				t.Errorf("%d versions are listed, the bad one is %q", versions, bad)
			}
			// The highest version is never passed over in silence.
			wantErr(t, r.Load(t.Context(), "m", new([]byte)), c.want)
			i := must[*Info](t)(r.Info(t.Context(), "m@1.0.0"))
			must[*Info](t)(r.Info(t.Context(), "m@"+i.Digest))
			_, err := r.Info(t.Context(), "m@sha256:"+fmt.Sprintf("%064d", 1))
			wantErr(t, err, c.want) // it may be the one

			for ref, problems := range map[string]int{"m@latest": 1, "m@1.0.2": 1, "m@*": 1, "m": 1, "": 1, "m@1.0.1": 0} {
				rep := must[*VerifyReport](t)(r.Verify(t.Context(), ref, nil))
				if len(rep.Problems) != problems {
					t.Errorf("verify %q finds %v", ref, rep.Problems)
				}
				for _, p := range rep.Problems {
					if p.Ref != "m@1.0.2" || p.Key != manifest.VersionKey("m", Version{Major: 1, Patch: 2}) {
						t.Errorf("verify %q finds %+v", ref, p)
					}
				}
			}

			to, _ := inMemory(t)
			rep, err := Copy(t.Context(), to, r, "", nil)
			wantErr(t, err, c.want)
			if len(rep.Copied) != 4 {
				t.Errorf("copied %v, all but one are readable", rep.Copied)
			}

			if v := mustSave(t, r, "m", body); v.Patch != 3 {
				t.Errorf("the next version is %s", v)
			}
			mustLoad[[]byte](t, r, "m")
		})
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
