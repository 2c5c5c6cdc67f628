package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store/faultstore"
)

// unversioned returns an unversioned registry on a store that can be made to
// fail and whose clock can be moved, and that clock.
func unversioned(t *testing.T) (*Registry, *faultstore.Store, *testClock) {
	t.Helper()
	clock := newTestClock()
	fst := faultstore.New(newStoreAt(t, clock.now), nil)
	return openOn(t, fst, &Options{Unversioned: true}), fst, clock
}

func wantLive(t *testing.T, r *Registry, want ...string) {
	t.Helper()
	if got := liveVersions(t, r, "m"); !slices.Equal(got, want) {
		t.Errorf("live versions are %q, want %q", got, want)
	}
}

// A save leaves its predecessor behind; the object is deleted and saved again:
// the old version must not come back, neither now nor later.
func TestUnversionedDeleteTakesWhatIsLeft(t *testing.T) {
	for _, ref := range []string{"m@latest", "m@*", "m@1.0.1"} {
		r, fst, _ := unversioned(t)
		mustSave(t, r, "m", "a")
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.Op == "get" && strings.HasSuffix(c.Key, "a1.a0.a0~.json") {
				return faultstore.Fault{Before: errors.New("not now")}
			}
			return faultstore.Fault{}
		})
		mustSave(t, r, "m", "b", WithoutReuse())
		fst.Plan(nil)
		wantLive(t, r, "1.0.0", "1.0.1")
		var order []string
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.Op == "put" {
				order = append(order, c.Key)
			}
			return faultstore.Fault{}
		})
		if got := must[*DeleteReport](t)(r.Delete(t.Context(), ref, nil)).Deleted; len(got) != 2 {
			t.Errorf("%s deleted %v", ref, got)
		}
		if len(order) != 2 || !slices.IsSorted(order) {
			t.Errorf("%s: puts were %v", ref, order) // oldest first: no gap
		}
		wantErr(t, r.Load(t.Context(), "m", new(string)), ErrDeleted)
		mustSave(t, r, "m", "c")
		must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil))
		wantErr(t, r.Load(t.Context(), "m", new(string)), ErrDeleted)
	}
}

// A save that came too late is undone: the object is what it was before, also
// when its tombstone is old, and the next save deletes what was before.
func TestUnversionedTooSlow(t *testing.T) {
	r, fst, clock := unversioned(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	for range 2 {
		fst.Plan(nth(0, "objects/", faultstore.Fault{Do: func() { clock.advance(2 * day) }}))
		_, err := r.Save(t.Context(), "m", noise(2, 1<<20))
		wantErr(t, err, ErrTooSlow)
	}
	fst.Plan(nil)
	wantLive(t, r, "1.0.0")
	clock.advance(60 * day)
	mustGC(t, r)
	mustGC(t, r)
	if got := mustLoad[[]byte](t, r, "m"); !slices.Equal(got, noise(1, 1<<20)) {
		t.Error("wrong bytes")
	}
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil))
	wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.2", nil)), ErrDeleted)
	if _, err := r.Undelete(t.Context(), "m@1.0.0", nil); err != nil { // those above it do not count
		t.Error(err)
	}
	mustSave(t, r, "m", "small")
	wantLive(t, r, "1.0.3")
}

// An Undelete and a save at once: the second to write sees the first.
func TestUnversionedUndeleteBesideSave(t *testing.T) {
	r, fst, _ := unversioned(t)
	other := openOn(t, fst.Unwrap(), nil)
	mustSave(t, r, "m", "a")
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil))
	fst.Plan(nth(0, "objects/", faultstore.Fault{Do: func() { mustSave(t, other, "m", "b") }}))
	wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.0", nil)), ErrConflict)
	fst.Plan(nil)
	wantLive(t, r, "1.0.1")
}

// A version that an interrupted Undelete has brought back is not the latest.
func TestUnversionedUndeleteDies(t *testing.T) {
	synctest.Test(t, unversionedUndeleteDies) // the undelete is patient
}

func unversionedUndeleteDies(t *testing.T) {
	r, fst, _ := unversioned(t)
	other := openOn(t, fst.Unwrap(), nil)
	mustSave(t, r, "m", "a")
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil))
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		return faultstore.Fault{Late: c.Op == "put"}
	})
	wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.0", nil)), ErrOutcomeUnknown)
	fst.Plan(nil)
	mustSave(t, other, "m", "b")
	mustSave(t, other, "m", "c")
	fst.Release()
	wantLive(t, r, "1.0.0", "1.0.2")
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil))
	wantErr(t, r.Load(t.Context(), "m", new(string)), ErrDeleted)
	if got := must[*DeleteReport](t)(r.Delete(t.Context(), "m@*", nil)).Deleted; len(got) != 1 {
		t.Errorf("deleted %v", got)
	}
}

// The user's deadline ends when the save is done: versions do not pile up.
func TestUnversionedDeadline(t *testing.T) {
	r, fst, _ := unversioned(t)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.Op != "put" {
				return faultstore.Fault{}
			}
			return faultstore.Fault{Do: cancel}
		})
		r.Save(ctx, "m", "x")
		cancel()
	}
	fst.Plan(nil)
	if got := liveVersions(t, r, "m"); len(got) != 1 {
		t.Errorf("live versions are %q", got)
	}
}

// However many versions there have been, a save makes the same requests.
func TestUnversionedRequests(t *testing.T) {
	r, fst, _ := unversioned(t)
	var first int
	for i := range 50 {
		fst.Plan(func(faultstore.Call) faultstore.Fault { return faultstore.Fault{} })
		mustSave(t, r, "m", "x")
		switch n := fst.Calls(); {
		case i == 2:
			first = n
		case i > 2 && n != first:
			t.Fatalf("%d requests for save %d, %d for the third", n, i, first)
		}
	}
}

// While a deleted version is read, the next one is saved and the other one deleted.
// The version below was never the latest, and is not returned (docs/attacks.md, I8).
func TestLatestBesideDelete(t *testing.T) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	r, other := openOn(t, fst, nil), openOn(t, mem, nil)
	mustSave(t, other, "m", "a")
	mustSave(t, other, "m", "b")
	once := false
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op != "get" || !strings.HasPrefix(c.Key, "objects/") || once {
			return faultstore.Fault{}
		}
		once = true
		return faultstore.Fault{Do: func() {
			mustSave(t, other, "m", "c")
			mustDelete(t, other, "m@1.0.1")
		}}
	})
	if got := mustLoad[string](t, r, "m"); got != "c" {
		t.Errorf("the latest is %q", got)
	}
}

// If everything changes all the time, a reader gets an error and does not hang.
func TestLatestNeverRests(t *testing.T) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	r, other := openOn(t, fst, nil), openOn(t, mem, nil)
	mustSave(t, other, "m", "x")
	listed := false
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if !listed || c.Op != "get" {
			listed = c.Op == "list"
			return faultstore.Fault{}
		}
		listed = false
		return faultstore.Fault{Do: func() {
			mustSave(t, other, "m", "x")
			_, v, err := manifest.ParseVersionRegisterKey(c.Key)
			if err != nil {
				t.Error(err)
			}
			if _, err := other.Delete(t.Context(), "m@"+v.String(), nil); err != nil && !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}}
	})
	wantErr(t, r.Load(t.Context(), "m", new(string)), ErrConflict)
}

// One damaged register in a range: the others are deleted, and it is named.
func TestDeleteRangeWithDamage(t *testing.T) {
	r, st := inMemory(t)
	for range 3 {
		mustSave(t, r, "m", "x")
	}
	if _, err := r.Tag(t.Context(), "m@1.0.1", "prod", nil); err != nil {
		t.Fatal(err)
	}
	overwrite(t, st, manifest.VersionKey("m", Version{Major: 1, Patch: 1}), func(b []byte) []byte {
		b[len(b)/2] ^= 1
		return b
	})
	rep, err := r.Delete(t.Context(), "m@*", nil)
	wantErr(t, err, ErrIntegrity)
	if done := rep.Deleted; len(done) != 2 || !strings.Contains(err.Error(), "1.0.1") {
		t.Errorf("deleted %v: %v", done, err)
	}
	rep, err = r.Delete(t.Context(), "m@*", nil)
	wantErr(t, err, ErrIntegrity)
	if done := rep.Deleted; len(done) != 0 {
		t.Errorf("deleted %v", done)
	}
}
