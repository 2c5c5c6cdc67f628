package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store/memstore"
)

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

// What Copy counts are live versions.
func TestCopyCountsLiveVersions(t *testing.T) {
	source := func(t *testing.T, deleted ...string) *Registry {
		r, _ := inMemory(t)
		for _, v := range []string{"1.0.0", "1.1.0", "2.0.0"} {
			mustSave(t, r, "m", v, WithVersion(v))
		}
		for _, v := range deleted {
			must[*DeleteReport](t)(r.Delete(t.Context(), "m@"+v, nil))
		}
		return r
	}
	for _, c := range []struct {
		ref, version string
		unversioned  bool
		deleted      []string
		want         string // the highest copied
		err          error
	}{
		{"m", "", true, []string{"2"}, "1.1.0", nil},
		{"m@^1", "", true, []string{"1.1"}, "1.0.0", nil},
		{"m@^1", "", true, []string{"1.0", "1.1"}, "", ErrDeleted},
		{"m", "", false, []string{"1.0", "1.1", "2"}, "", ErrDeleted},
		{"m@^1", "", false, []string{"1.0", "1.1"}, "", ErrDeleted},
		{"m@^1", "7.0.0", false, []string{"1.1"}, "1.0.0", nil},
		{"m@^1", "7.0.0", false, nil, "", ErrInvalidVersion},
		{"m@^1", "7.0.0", false, []string{"1.0", "1.1"}, "", ErrDeleted},
		{"m", "", false, []string{"1.0"}, "2.0.0", nil},
	} {
		t.Run(fmt.Sprintf("%s %s %v without %v", c.ref, c.version, c.unversioned, c.deleted), func(t *testing.T) {
			to := openOn(t, newStore(t), &Options{Unversioned: c.unversioned})
			rep, err := Copy(t.Context(), to, source(t, c.deleted...), c.ref, &CopyOptions{Version: c.version})
			if c.err != nil {
				wantErr(t, err, c.err)
				return
			}
			if err != nil || len(rep.Copied) == 0 {
				t.Fatalf("%+v, %v", rep, err)
			}
			if got := mustLoad[string](t, to, "m"); got != c.want {
				t.Errorf("copied %s, want %s", got, c.want)
			}
		})
	}
}

// Info.Path is a location: the options of a URL stay at its end.
func TestInfoPath(t *testing.T) {
	for url, want := range map[string]string{
		"/srv/models":          "/srv/models/k",
		"/srv/what?/":          "/srv/what?/k",
		"s3://b/p":             "s3://b/p/k",
		"s3://b/p/?region=x/y": "s3://b/p/k?region=x/y",
		"s3://b?endpoint=e":    "s3://b/k?endpoint=e",
	} {
		if got := pathAt(url, "k"); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	st := newStore(t)
	openOn(t, st, nil)
	r := must[*Registry](t)(OpenStore(t.Context(), st, "s3://b/p?x=y", nil))
	mustSave(t, r, "m", "x")
	if got, want := must[*Info](t)(r.Info(t.Context(), "m")).Path, "s3://b/p/"+manifest.VersionKey("m", Version{Major: 1})+"?x=y"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A loader that is known by its name only.
func TestRegisterMaterializer(t *testing.T) {
	r, st := inMemory(t)
	m := material.Func("upper", func(ctx context.Context, dst material.Sink, v string) error {
		return material.Text{}.Save(ctx, dst, v)
	}, func(context.Context, fs.FS) (string, error) { return "UPPER", nil })
	mustSave(t, r, "m", "x", WithMaterializer(m))
	other := must[*Registry](t)(OpenStore(t.Context(), st, "test:", nil))
	wantErr(t, other.Load(t.Context(), "m", new(string)), ErrNoMaterializer)
	if err := other.RegisterMaterializer(m); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad[string](t, other, "m"); got != "UPPER" {
		t.Errorf("%q", got)
	}
	if err := other.RegisterMaterializer(material.Func("upper", func(context.Context, material.Sink, int) error { return nil }, func(context.Context, fs.FS) (int, error) { return 0, nil })); err == nil {
		t.Error("two materializers of one name")
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
