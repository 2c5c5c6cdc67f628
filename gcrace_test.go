package registry

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store/faultstore"
)

// The bytes of a pack that is being deleted are saved again. They go into the
// present era, where no deletion is under way (docs/attacks.md, A20).
func TestSaveBesideSweepKeepsItsPacks(t *testing.T) {
	r, fst, mem, clock := timed(t)
	garbage(t, r, clock)
	floating := map[string]bool{}
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "delete" && strings.HasPrefix(c.Key, "packs/") && !floating[c.Key] {
			floating[c.Key] = true // and is sent again
			return faultstore.Fault{Do: func() { mustSave(t, openOn(t, mem, nil), "again", noise(99, 1<<20)) }, Late: true}
		}
		return faultstore.Fault{}
	})
	mustGC(t, r)
	if len(floating) == 0 {
		t.Error("nothing was deleted")
	}
	fst.Plan(nil)
	clock.advance(100 * day) // they land whenever they like
	fst.Release()
	mustVerify(t, r)
	mustLoad[[]byte](t, r, "again")
}

// A save is suspended until its own packs are collected. It puts them again, or
// it is not acknowledged and not seen (docs/attacks.md, A21).
func TestSuspendedSaveKeepsItsPacksOrFails(t *testing.T) {
	r, _, mem, clock := timed(t)
	_, err := r.Save(t.Context(), "m", &slow{body: noise(1, 50<<20), pause: func() {
		clock.advance(10 * day)
		mustGC(t, openOn(t, mem, nil))
	}})
	if err == nil {
		mustVerify(t, r) // it has put them again
	} else if live := liveVersions(t, r, "m"); live != nil {
		t.Errorf("%v, but %v are live", err, live)
	}
	mustVerify(t, r)
}

// The packs of a save are collected in the very moment of its commit. The save
// is refused and undone (docs/attacks.md, A22).
func TestSaveCollectedBeforeItsCommitIsUndone(t *testing.T) {
	r, fst, mem, clock := timed(t)
	fst.Plan(nth(0, "objects/", faultstore.Fault{Do: func() {
		clock.advance(30 * day)
		if rep := mustGC(t, openOn(t, mem, nil)); rep.Freed.Packs != 1 {
			t.Errorf("%+v", rep)
		}
	}}))
	_, err := r.Save(t.Context(), "m", noise(1, 1<<20))
	wantErr(t, err, ErrTooSlow)
	fst.Plan(nil)
	mustVerify(t, r)

	// It cannot be brought back: its packs are gone.
	_, err = r.Undelete(t.Context(), "m@1", nil)
	wantErr(t, err, ErrDeleted)
	if !strings.Contains(err.Error(), "saved too late") {
		t.Error(err)
	}
	mustSave(t, r, "m", noise(1, 1<<20))
	if got := mustLoad[[]byte](t, r, "m@1.0.1"); !bytes.Equal(got, noise(1, 1<<20)) {
		t.Error("wrong bytes")
	}
}

// A collection has freed the packs of a version that was committed too late.
// The next save does not build on that version (docs/attacks.md, A23).
func TestLateVersionThatWasCollectedIsNoBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a commit whose outcome is unknown waits for a minute
		r, fst, mem, clock := timed(t)
		body := noise(1, 2<<20)
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			return faultstore.Fault{Late: c.Op == "put" && strings.HasPrefix(c.Key, "objects/")}
		})
		_, err := r.Save(t.Context(), "m", body)
		wantErr(t, err, ErrOutcomeUnknown)
		fst.Plan(nil)
		clock.advance(30 * day)
		mustGC(t, openOn(t, mem, nil))
		fst.Release()
		mustSave(t, r, "m", body)
		mustGC(t, r)
		clock.advance(30 * day)
		mustGC(t, r)
		if got := mustLoad[[]byte](t, r, "m"); !bytes.Equal(got, body) {
			t.Error("wrong bytes")
		}
	})
}

// The collection sleeps between marking and sweeping, for longer than any age.
// What was saved meanwhile stays (docs/attacks.md, A24).
func TestSweepAfterASleepSparesNewPacks(t *testing.T) {
	r, fst, mem, clock := timed(t)
	garbage(t, r, clock)
	other := openOn(t, mem, nil)
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op != "list" || c.Key != manifest.PacksPrefix {
			return faultstore.Fault{}
		}
		return faultstore.Fault{Do: func() {
			mustSave(t, other, "meanwhile", noise(1, 1<<20))
			clock.advance(100 * day)
			mustSave(t, other, "meanwhile", noise(2, 1<<20), WithBase("meanwhile"))
		}}
	})
	rep := mustGC(t, r)
	fst.Plan(nil)
	if rep.Freed.Packs != 1 || rep.Young.Packs != 2 {
		t.Errorf("%+v", rep)
	}
	mustVerify(t, r)
}

// While a collection reads the registers, versions are deleted, brought back
// and saved. No live version loses its packs (docs/attacks.md, A13).
func TestChangesBesideMarkLoseNoPacks(t *testing.T) {
	for _, change := range []string{"delete", "undelete", "save from base and delete it", "delete and undelete"} {
		for _, op := range []string{"list", "get"} {
			t.Run(change+" before "+op, func(t *testing.T) {
				r, fst, mem, clock := timed(t)
				other := openOn(t, mem, nil)
				mustSave(t, r, "m", noise(1, 1<<20))
				clock.advance(30 * day)
				if change == "undelete" {
					mustDelete(t, r, "m@1")
					clock.advance(7 * day) // the last moment
				}
				done := false
				fst.Plan(func(c faultstore.Call) faultstore.Fault {
					if done || c.Op != op || !strings.HasPrefix(c.Key, "objects/") {
						return faultstore.Fault{}
					}
					done = true
					return faultstore.Fault{Do: func() {
						switch change {
						case "delete":
							mustDelete(t, other, "m@1")
						case "undelete":
							if _, err := other.Undelete(t.Context(), "m@1", nil); err != nil {
								t.Error(err)
							}
						case "save from base and delete it":
							mustSave(t, other, "a", noise(1, 1<<20), WithBase("m"))
							mustDelete(t, other, "m@1")
						case "delete and undelete":
							mustDelete(t, other, "m@1")
							if _, err := other.Undelete(t.Context(), "m@1", nil); err != nil {
								t.Error(err)
							}
						}
					}}
				})
				if rep := mustGC(t, r); rep.Freed.Packs > 0 || !done {
					t.Errorf("%+v", rep)
				}
				fst.Plan(nil)
				mustVerify(t, r)
				_, _ = other.Undelete(t.Context(), "m@1", nil)
				mustLoad[[]byte](t, r, "m@1")
			})
		}
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
		fst.Plan(nth(0, "objects/", faultstore.Fault{Do: func() {
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

// An undelete was applied too late and is not undone yet: another undelete does not
// rely on it.
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

// Two collections at once: the second one starts, and ends, at every request of
// the first. Both are right, and one marker is left (docs/attacks.md, A31).
func TestTwoCollectionsAreBothRight(t *testing.T) {
	for at := 0; ; at++ {
		r, fst, mem, clock := timed(t)
		mustSave(t, r, "m", noise(1, 1<<20))
		garbage(t, r, clock)
		other := openOn(t, mem, nil)
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.N == at {
				return faultstore.Fault{Do: func() { clock.advance(time.Second); mustGC(t, other) }}
			}
			return faultstore.Fault{}
		})
		mustGC(t, r)
		calls := fst.Calls()
		fst.Plan(nil)
		mustVerify(t, r)
		if n := len(packKeys(t, mem)); n != 1 {
			t.Errorf("at %d: %d packs", at, n)
		}
		clock.advance(time.Second)
		mustGC(t, r)
		if n := len(markers(t, mem)); n != 1 {
			t.Errorf("at %d: %d markers", at, n)
		}
		if at > calls {
			break
		}
	}
}

// From the deletion on, a reader has retain + window to finish. A reader that
// takes longer is told what happened (docs/attacks.md, A33).
func TestLoadOfADeletedVersionFinishes(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		want  error
	}{{8 * day, nil}, {9 * day, ErrDeleted}} {
		r, fst, mem, clock := timed(t)
		body := noise(1, 1<<20)
		mustSave(t, r, "m", body)
		clock.advance(30 * day)
		other := openOn(t, mem, nil)
		asleep := false
		fst.Plan(func(call faultstore.Call) faultstore.Fault {
			if asleep || call.Op != "get" || !strings.HasPrefix(call.Key, "packs/") {
				return faultstore.Fault{}
			}
			asleep = true
			return faultstore.Fault{Do: func() {
				mustDelete(t, other, "m@1")
				clock.advance(c.takes)
				mustGC(t, other)
			}}
		})
		got, err := Load[[]byte](t.Context(), r, "m")
		wantErr(t, err, c.want)
		if c.want == nil && !bytes.Equal(got, body) {
			t.Error("wrong bytes")
		}
	}
}
