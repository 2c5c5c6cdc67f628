package registry

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
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

// Two deleters and an undeleter of one version: the second to come is told,
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

// A version with tags is not deleted unless that is said, nor is any other of
// a range that it is in.
func TestDeleteTagged(t *testing.T) {
	r, _ := inMemory(t)
	for range 3 {
		mustSave(t, r, "m", "x")
	}
	mustTag(t, r, "m@1.0.1", "prod")
	mustTag(t, r, "m@1.0.1", "beta")
	mustTag(t, r, "m@1.0.2", "other")
	for _, ref := range []string{"m@1.0.1", "m@prod", "m@<1.0.2", "m@*"} {
		for _, dry := range []bool{true, false} {
			rep, err := r.Delete(t.Context(), ref, &DeleteOptions{DryRun: dry})
			done := rep.Deleted
			wantErr(t, err, ErrTagged)
			if ref != "m@*" && (err == nil || !strings.Contains(err.Error(), "version 1.0.1 is tagged: beta, prod")) || len(done) > 0 {
				t.Errorf("%s: deleted %v, error %v", ref, done, err)
			}
		}
	}
	if got := liveVersions(t, r, "m"); len(got) != 3 {
		t.Errorf("left are %v", got)
	}
	if done := must[*DeleteReport](t)(r.Delete(t.Context(), "m@<1.0.2", &DeleteOptions{DryRun: true, Force: true})).Deleted; len(done) != 2 {
		t.Errorf("would delete %v", done)
	}
	wantTags(t, r, "m", "beta=1.0.1", "other=1.0.2", "prod=1.0.1")
	if done := must[*DeleteReport](t)(r.Delete(t.Context(), "m@<1.0.2", &DeleteOptions{Force: true})).Deleted; len(done) != 2 {
		t.Errorf("deleted %v", done)
	}
	wantTags(t, r, "m", "other=1.0.2")
	if _, err := r.Undelete(t.Context(), "m@1.0.1", nil); err != nil {
		t.Fatal(err)
	}
	wantTags(t, r, "m", "other=1.0.2") // and does not bring tags back
	if done := must[*DeleteReport](t)(r.Delete(t.Context(), "m@1.0.1", nil)).Deleted; len(done) != 1 {
		t.Errorf("deleted %v", done)
	}
}

// A delete that is not forced does not go by a tag that may be on its version.
func TestDamagedTagGuardsItsVersion(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "one")
	mustTag(t, r, "m", "bad")
	overwrite(t, st, manifest.TagKey("m", "bad"), harm["torn"])
	_, err := r.Delete(t.Context(), "m@1.0.0", nil)
	wantErr(t, err, ErrIntegrity)
	mustLoad[string](t, r, "m@1.0.0")
}

// A deletion whose end is unknown removes the tags, if it was applied.
func TestUnknownDeleteDropsTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fst, _ := faulty(t)
		mustSave(t, r, "m", "x", WithTag("prod"))
		gone := false
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			switch {
			case c.Op == "put" && strings.HasPrefix(c.Key, "objects/"):
				gone = true
				return faultstore.Fault{After: store.ErrUnknown}
			case c.Op == "put" && strings.HasPrefix(c.Key, "tags/"):
				gone = false // it answers again
			case c.Op == "get" && strings.HasPrefix(c.Key, "objects/") && gone:
				return faultstore.Fault{Before: errors.New("connection lost")}
			case c.Op == "list":
				gone = false
			}
			return faultstore.Fault{}
		})
		_, err := r.Delete(t.Context(), "m@1.0.0", &DeleteOptions{Force: true})
		wantErr(t, err, ErrOutcomeUnknown)
		fst.Plan(nil)
		for tag, err := range r.Tags(t.Context(), "m") {
			t.Errorf("left: %+v, %v", tag, err)
		}
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

// Undelete is safe as long as the packs were kept, and says so in the
// register.
func TestUndeleteRenewsNotAfter(t *testing.T) {
	r, _, _, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	clock.advance(30 * 24 * time.Hour)
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@1", nil))
	died := clock.now()
	clock.advance(3 * 24 * time.Hour)
	if _, err := r.Undelete(t.Context(), "m@1", nil); err != nil {
		t.Fatal(err)
	}
	f := manifestOf(t, r, "m")
	if want := died.Add(7 * 24 * time.Hour); !f.NotAfter.Equal(want) {
		t.Errorf("notAfter is %s, want %s", f.NotAfter, want)
	}
	if !f.Sound(f.Stored.Modified) {
		t.Error("an undeleted version is no base")
	}
}

// An undelete that is frozen after its look at the clock comes back when the
// packs are gone. It is undone and not acknowledged.
func TestFrozenUndelete(t *testing.T) {
	r, fst, mem, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	clock.advance(30 * day)
	mustDelete(t, r, "m@1")
	clock.advance(6 * day)
	for _, purged := range []bool{false, true} {
		fst.Plan(atPut(0, "objects/", faultstore.Fault{Do: func() {
			clock.advance(5 * day)
			if purged {
				clock.advance(30 * day)
				mustGC(t, openOn(t, mem, nil))
			}
		}}))
		if _, err := r.Undelete(t.Context(), "m@1", nil); err == nil {
			t.Error("acknowledged")
		}
		fst.Plan(nil)
		if live := liveVersions(t, r, "m"); live != nil {
			t.Errorf("%v are live", live)
		}
	}
}

// An undelete that has landed too late, and is not undone yet, is none that
// another one may build on.
func TestUndeleteBesideFrozenUndelete(t *testing.T) {
	r, fst, mem, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	clock.advance(30 * day)
	mustDelete(t, r, "m@1")
	clock.advance(6 * day)
	other := openOn(t, mem, nil)
	puts := 0
	fst.Plan(func(c faultstore.Call) (f faultstore.Fault) {
		if c.Op != "put" || !strings.HasPrefix(c.Key, manifest.ObjectsPrefix) {
			return f
		}
		switch puts++; puts {
		case 1: // live again
			f.Do = func() { clock.advance(5 * day) }
		case 2: // buried again
			f.Do = func() { wantErr(t, errOf(other.Undelete(t.Context(), "m@1", nil)), ErrTooSlow) }
		}
		return f
	})
	if _, err := r.Undelete(t.Context(), "m@1", nil); err == nil || puts != 2 {
		t.Errorf("%d puts, %v", puts, err)
	}
}

// A late version that somebody deletes cannot come back.
func TestLateVersionStaysDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fst, _, clock := timed(t)
		saveLate(t, r, fst, clock, noise(1, 8<<20))
		mustDelete(t, r, "m@1.0.0")
		wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.0", nil)), ErrDeleted)
	})
}

// An Undelete and a save meet: whoever writes second sees the other.
func TestUnversionedUndeleteBesideSave(t *testing.T) {
	r, fst, _ := unversioned(t)
	other := openOn(t, fst.Unwrap(), nil)
	mustSave(t, r, "m", "a")
	must[*DeleteReport](t)(r.Delete(t.Context(), "m@latest", nil))
	fst.Plan(atPut(0, "objects/", faultstore.Fault{Do: func() { mustSave(t, other, "m", "b") }}))
	wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.0", nil)), ErrConflict)
	fst.Plan(nil)
	wantLive(t, r, "1.0.1")
}

// What an Undelete that died half-way has brought back is nobody's latest.
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
