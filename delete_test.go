package registry

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

func TestDeleteAndUndelete(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		big := noise(1, 5<<20)
		mustSave(t, r, "m", "zero")
		mustSave(t, r, "m", big)
		if got := must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", &DeleteOptions{DryRun: true})).Deleted; len(got) != 1 || got[0].String() != "1.0.1" {
			t.Errorf("would delete %v", got)
		}
		if got := must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil)).Deleted; len(got) != 1 || got[0].String() != "1.0.1" {
			t.Errorf("deleted %v", got)
		}
		wantErr(t, r.Load(t.Context(), "m@1.0.1", new([]byte)), ErrDeleted)
		_, err := r.Delete(t.Context(), "m@1.0.1", nil)
		wantErr(t, err, ErrDeleted)
		for range 2 { // twice is once
			if _, err := r.Undelete(t.Context(), "m@1.0.1", nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := mustLoad[[]byte](t, r, "m"); !slices.Equal(got, big) {
			t.Error("undeleted bytes differ")
		}
		// And again, more often than nonces are remembered.
		for range 10 {
			must[*DeleteReport](t)(r.Delete(t.Context(), "m@1.0.1", nil))
			if _, err := r.Undelete(t.Context(), "m@1.0.1", nil); err != nil {
				t.Fatal(err)
			}
		}
		wantErr(t, errOf(r.Undelete(t.Context(), "m@9.0.0", nil)), ErrNotFound)
		wantErr(t, errOf(r.Undelete(t.Context(), "m@latest", nil)), ErrInvalidRef)
		_, err = r.Delete(t.Context(), "m", nil)
		wantErr(t, err, ErrInvalidRef)
		_, err = r.Delete(t.Context(), "none@1", nil)
		wantErr(t, err, ErrNotFound)
		if got := must[*DeleteReport](t)(r.Delete(t.Context(), "m@*", nil)).Deleted; len(got) != 2 {
			t.Errorf("deleted %v", got)
		}
		_, err = r.Delete(t.Context(), "m@*", nil)
		wantErr(t, err, ErrDeleted)
	})
}

func TestUndeleteHasALimit(t *testing.T) {
	clock := newTestClock()
	r := openOn(t, newStoreAt(t, clock.now), nil)
	mustSave(t, r, "m", "x")
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@1", nil))
	clock.advance(7*24*time.Hour - time.Minute)
	if _, err := r.Undelete(t.Context(), "m@1", nil); err != nil {
		t.Fatal(err)
	}
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@1", nil))
	clock.advance(7*24*time.Hour + time.Minute)
	wantErr(t, errOf(r.Undelete(t.Context(), "m@1", nil)), ErrDeleted)
}

// Two deletes and an undelete of one version at once: the second one fails, and
// nothing is lost.
func TestDeleteConflict(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x")
	f := must[*ledger.Record](t)(r.ledger.Read(t.Context(), "m", Version{Major: 1}))
	must[*ledger.Record](t)(r.ledger.Bury(t.Context(), f))
	_, err := r.ledger.Bury(t.Context(), f)
	wantErr(t, err, ErrConflict)
	body, _, err := st.Get(t.Context(), manifest.VersionKey("m", Version{Major: 1}), nil)
	if err != nil || !strings.Contains(string(body), `"deleted"`) {
		t.Errorf("register is %s, %v", body, err)
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
