package registry

import (
	"io"
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

// slow is a value whose save takes as long as the test wants: after half of
// its bytes it calls pause.
type slow struct {
	body  []byte
	pause func()
	off   int
}

func (s *slow) Read(p []byte) (int, error) {
	if s.off >= len(s.body)/2 && s.pause != nil {
		s.pause()
		s.pause = nil
	}
	n := copy(p, s.body[s.off:])
	s.off += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func timed(t *testing.T) (*Registry, *faultstore.Store, store.Store, *testClock) {
	clock := newTestClock()
	mem := newStoreAt(t, clock.now)
	fst := faultstore.New(mem, nil)
	return openOn(t, fst, nil), fst, mem, clock
}

func manifestOf(t *testing.T, r *Registry, ref string) *ledger.Record {
	t.Helper()
	f := must[*ledger.Record](t)(r.ledger.Resolve(t.Context(), must[ledger.Ref](t)(ledger.ParseRef(ref))))
	if err := r.ledger.Complete(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	return f
}

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
	fst.Plan(nth(1, "packs/", faultstore.Fault{Do: func() { clock.advance(4 * 24 * time.Hour) }}))
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
	fst.Plan(nth(0, "objects/", faultstore.Fault{Do: func() { clock.advance(100 * time.Hour) }}))
	mustSave(t, r, "small", "x")
}

// A version that was committed too late may name packs that are gone. It is no
// base: other saves store everything themselves (docs/attacks.md, A23).
func TestLateVersionWithoutPacksIsNoBase(t *testing.T) {
	synctest.Test(t, lateManifestIsNoBase) // the saver is patient
}

func lateManifestIsNoBase(t *testing.T) {
	r, fst, mem, clock := timed(t)
	body := noise(1, 8<<20)
	late(t, r, fst, clock, body)
	for _, k := range packKeys(t, mem) { // what a collector would do
		if err := mem.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, r.Load(t.Context(), "m", new([]byte)), ErrIntegrity) // visible, never acknowledged
	var rep SaveReport
	mustSave(t, r, "m", body, WithReport(&rep))
	if rep.Reused > 0 {
		t.Errorf("%d bytes reused of a manifest that is not sound", rep.Reused)
	}
	if got := mustLoad[[]byte](t, r, "m"); !slices.Equal(got, body) {
		t.Error("wrong bytes")
	}
}

// A pack put just as the era ends is put again into the one that the store's
// answer says it is.
func TestPackAtTheEndOfAnEra(t *testing.T) {
	r, fst, mem, clock := timed(t)
	times := r.ledger.Settings.Times
	end := times.EraEnd(times.EraOf(clock.now()))
	clock.advance(end.Sub(clock.now()) - time.Second)
	r = openOn(t, fst, nil)
	fst.Plan(nth(0, "packs/", faultstore.Fault{Do: func() { clock.advance(2 * time.Second) }}))
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

// Times are part of the registry, because they must not change under running
// savers: every client gets those that the registry was created with
// (docs/attacks.md, A26).
func TestTimesOfARegistryStay(t *testing.T) {
	st := newStore(t)
	short := manifest.Times{Era: 10, Window: 6, Retain: 5, Margin: 1}
	openOn(t, st, &Options{times: short})
	if r := openOn(t, st, nil); r.ledger.Settings.Times != short {
		t.Errorf("times are %+v", r.ledger.Settings.Times)
	}
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
