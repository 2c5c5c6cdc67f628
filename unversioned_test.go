package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
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
		fst.Plan(atPut(0, "objects/", faultstore.Fault{Do: func() { clock.advance(2 * day) }}))
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

func TestUnversioned(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, &Options{Unversioned: true})
		for _, s := range []string{"a", "b", "c"} {
			mustSave(t, r, "m", s)
			if got := mustLoad[string](t, r, "m"); got != s {
				t.Errorf("got %q, want %q", got, s)
			}
			n := 0
			for _, err := range r.Versions(t.Context(), "m") {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 1 {
				t.Errorf("%d versions are live", n)
			}
		}
		_, err := r.Save(t.Context(), "m", "x", WithVersion("7"))
		wantErr(t, err, ErrInvalidVersion)
		wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.1", nil)), ErrConflict)
		must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil))
		wantErr(t, r.Load(t.Context(), "m", new(string)), ErrNotFound)
		if _, err := r.Undelete(t.Context(), "m@1.0.2", nil); err != nil {
			t.Fatal(err)
		}
		if got := mustLoad[string](t, r, "m"); got != "c" {
			t.Errorf("got %q", got)
		}
		again := openOn(t, st, nil)
		if !again.Unversioned() {
			t.Error("the setting is forgotten")
		}
		versioned := openOn(t, newStore(t), nil)
		if _, err := OpenStore(t.Context(), versioned.ledger.Store, "", &Options{Unversioned: true}); err == nil {
			t.Error("a versioned registry opened as an unversioned one")
		}
	})
}

// A saver that dies between creating its version and deleting the older ones
// leaves several live; the next save clears them all.
func TestUnversionedCleansAfterCrash(t *testing.T) {
	st := newStore(t)
	r := openOn(t, st, &Options{Unversioned: true})
	r.ledger.Settings.Unversioned = false // every save dies there
	for _, s := range []string{"a", "b", "c"} {
		mustSave(t, r, "m", s)
	}
	r.ledger.Settings.Unversioned = true
	mustSave(t, r, "m", "d")
	var live []string
	for i, err := range r.Versions(t.Context(), "m") {
		if err != nil {
			t.Fatal(err)
		}
		live = append(live, i.Version.String())
	}
	if !slices.Equal(live, []string{"1.0.3"}) {
		t.Errorf("live versions are %q", live)
	}
}
