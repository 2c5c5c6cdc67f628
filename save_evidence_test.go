package registry

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/store/faultstore"
)

// A manifest says until when its commit was safe: a window after the time
// that its packs were certainly there.
func TestNotAfter(t *testing.T) {
	r, _, _, clock := timed(t)
	mustSave(t, r, "small", "x")
	if f := manifestOf(t, r, "small"); !f.NotAfter.IsZero() {
		t.Error("a manifest without packs has a deadline")
	}
	start := clock.now()
	mustSave(t, r, "big", &slow{body: noise(1, 40<<20), pause: func() { clock.advance(time.Hour) }})
	f := manifestOf(t, r, "big")
	if want := start.Add(24 * time.Hour); !f.NotAfter.Equal(want) {
		t.Errorf("notAfter is %s, want %s", f.NotAfter, want)
	}
	if !f.Sound(f.Stored.Modified) || f.Sound(f.NotAfter.Add(1)) {
		t.Error("soundness is judged wrongly")
	}
}

// Of what a version's table and its data rest on, the older counts.
func TestNotAfterIsThatOfTheData(t *testing.T) {
	r, fst, _, clock := timed(t)
	start := clock.now()
	fst.Plan(atPut(0, "packs/", faultstore.Fault{Do: func() { clock.advance(11 * time.Hour) }}))
	mustSave(t, r, "m", Path(manyFiles(t, 0)))
	if f := manifestOf(t, r, "m"); f.Table == nil || f.NotAfter.After(start.Add(25*time.Hour)) {
		t.Errorf("notAfter is %s after the start", f.NotAfter.Sub(start))
	}
}

// A save that lasts longer than half its window renews its evidence: packs
// that it put in an era that has passed meanwhile are put again.
func TestLongSaveRenewsItsEvidence(t *testing.T) {
	for _, lasts := range []time.Duration{13 * time.Hour, 30 * time.Hour, 4 * 24 * time.Hour} {
		r, _, _, clock := timed(t)
		base := noise(1, 8<<20)
		mustSave(t, r, "m", base)
		body := slices.Concat(base, noise(2, 50<<20))
		mustSave(t, r, "m", &slow{body: body, pause: func() { clock.advance(lasts) }})
		f := manifestOf(t, r, "m")
		if want := clock.now().Add(24 * time.Hour); !f.NotAfter.Equal(want) {
			t.Errorf("after %s: notAfter is %s, want %s", lasts, f.NotAfter, want)
		}
		era := r.ledger.Settings.Times.EraOf(clock.now())
		old := 0
		for _, p := range f.Packs() {
			if p.Era != era {
				old++
			}
		}
		if want := 0; lasts > 84*time.Hour {
			// The packs of the base are vouched for by the base, and stay.
			if old != 1 {
				t.Errorf("after %s: %d packs of an era that is over, want the base's one", lasts, old)
			}
		} else if old != want {
			t.Errorf("after %s: %d packs of another era", lasts, old)
		}
		if got := mustLoad[[]byte](t, r, "m"); !slices.Equal(got, body) {
			t.Error("wrong bytes")
		}
	}
}

// The table of a large manifest names eras too, and is renewed with them.
func TestLongSaveOfManyFilesRenewsItsTable(t *testing.T) {
	r, fst, _, clock := timed(t)
	files := map[string][]byte{}
	for i := range 8000 {
		files["some/long/directory/name/to/make/the/table/large/"+string(rune('a'+i%26))+"/"+strings.Repeat("x", 20)+string(noiseName(i))] = noise(uint64(i), 40)
	}
	dir := writeFiles(t, files)
	fst.Plan(atPut(1, "packs/", faultstore.Fault{Do: func() { clock.advance(4 * 24 * time.Hour) }}))
	mustSave(t, r, "m", Path(dir))
	fst.Plan(nil)
	f := manifestOf(t, r, "m")
	if f.Table == nil {
		t.Fatal("the table is inside the register; make it larger")
	}
	if f.NotAfter.Before(clock.now()) {
		t.Errorf("notAfter %s is before the commit at %s", f.NotAfter, clock.now())
	}
	for _, p := range f.Packs() {
		if era := r.ledger.Settings.Times.EraOf(clock.now()); p.Era != era {
			t.Errorf("pack of era %d, want %d", p.Era, era)
		}
	}
	if rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil)); !rep.OK() {
		t.Error(rep.Problems)
	}
}

func noiseName(i int) []byte {
	b := []byte("0000")
	for k := range b {
		b[k] = '0' + byte(i%10)
		i /= 10
	}
	return b
}

// A pack put just as the era ends is put again into the one that the store's
// answer says it is.
func TestPackAtTheEndOfAnEra(t *testing.T) {
	r, fst, mem, clock := timed(t)
	times := r.ledger.Settings.Times
	end := times.EraEnd(times.EraOf(clock.now()))
	clock.advance(end.Sub(clock.now()) - time.Second)
	r = openOn(t, fst, nil)
	fst.Plan(atPut(0, "packs/", faultstore.Fault{Do: func() { clock.advance(2 * time.Second) }}))
	mustSave(t, r, "m", noise(1, 1<<20))
	era := times.EraOf(clock.now())
	for _, p := range manifestOf(t, r, "m").Packs() {
		if p.Era != era {
			t.Errorf("pack of era %d, want %d", p.Era, era)
		}
	}
	if n := len(packKeys(t, mem)); n != 2 {
		t.Errorf("%d packs, want the stray one and the good one", n)
	}
}

// The process is frozen between its last look at the clock and the create. The
// answer comes too late to be trusted, so the save undoes itself
// (docs/attacks.md, A22).
func TestSaveFrozenBeforeItsCommitIsUndone(t *testing.T) {
	r, fst, mem, clock := timed(t)
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "objects/") {
			return faultstore.Fault{Do: func() { clock.advance(23*time.Hour + time.Minute) }}
		}
		return faultstore.Fault{}
	})
	_, err := r.Save(t.Context(), "m", noise(1, 1<<20))
	wantErr(t, err, ErrTooSlow)
	fst.Plan(nil)
	check := openOn(t, mem, nil)
	if live := liveVersions(t, check, "m"); live != nil {
		t.Errorf("live versions are %v", live)
	}
	if v := mustSave(t, check, "m", "x"); v.String() != "1.0.1" {
		t.Errorf("next is %s", v)
	}
	// Small objects have no packs that could be gone.
	fst.Plan(atPut(0, "objects/", faultstore.Fault{Do: func() { clock.advance(100 * time.Hour) }}))
	mustSave(t, r, "small", "x")
}

// The packs of a save are collected in the very moment of its commit. The save
// is refused and undone (docs/attacks.md, A22).
func TestSaveCollectedBeforeItsCommitIsUndone(t *testing.T) {
	r, fst, mem, clock := timed(t)
	fst.Plan(atPut(0, "objects/", faultstore.Fault{Do: func() {
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
