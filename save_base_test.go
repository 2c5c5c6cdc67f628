package registry

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store/faultstore"
)

// Another object's version can be named as base.
func TestWithBase(t *testing.T) {
	r, _ := onDisk(t)
	body := noise(1, 20<<20)
	mustSave(t, r, "a", body)
	var rep SaveReport
	mustSave(t, r, "b", body, WithReport(&rep), WithBase("a@1"))
	if rep.Reused != 20<<20 || rep.Stored != 0 {
		t.Errorf("reused %d, stored %d", rep.Reused, rep.Stored)
	}
	_, err := r.Save(t.Context(), "c", body, WithBase("none"))
	wantErr(t, err, ErrNotFound)
}

// A late version is no base, though its packs are still there.
func TestLateVersionIsNoBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fst, _, clock := timed(t)
		body := noise(1, 8<<20)
		saveLate(t, r, fst, clock, body)
		var rep SaveReport
		mustSave(t, r, "m", body, WithReport(&rep))
		if rep.Reused > 0 {
			t.Errorf("%d bytes are reused of it", rep.Reused)
		}
	})
}

// A version that was committed too late may name packs that are gone. It is no
// base: other saves store everything themselves (docs/attacks.md, A23).
func TestLateVersionWithoutPacksIsNoBase(t *testing.T) {
	synctest.Test(t, lateManifestIsNoBase) // the saver is patient
}

func lateManifestIsNoBase(t *testing.T) {
	r, fst, mem, clock := timed(t)
	body := noise(1, 8<<20)
	saveLate(t, r, fst, clock, body)
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

// A save that has lasted for long does not rest on a version that was deleted
// meanwhile: it stores its packs itself.
func TestDeletedBaseVouchesForNothing(t *testing.T) {
	for _, deleted := range []bool{true, false} {
		r, fst, _, clock := timed(t)
		base := noise(1, 4<<20)
		mustSave(t, r, "m", base)
		era := manifestOf(t, r, "m").Packs()[0].Era
		clock.advance(8 * day)
		// Its pack is in use by the time at which another one is put.
		fst.Plan(atPut(0, "packs/", faultstore.Fault{Do: func() {
			clock.advance(13 * time.Hour)
			if deleted {
				mustDelete(t, r, "m@1.0.0")
			}
		}}))
		body := slices.Concat(base, noise(2, 1<<20))
		mustSave(t, r, "m", body)
		fst.Plan(nil)
		old := slices.ContainsFunc(manifestOf(t, r, "m").Packs(), func(p manifest.Pack) bool { return p.Era == era })
		if old == deleted {
			t.Errorf("base deleted: %t; its pack is still in use: %t", deleted, old)
		}
		clock.advance(30 * day)
		mustGC(t, r)
		if got := mustLoad[[]byte](t, r, "m"); !bytes.Equal(got, body) {
			t.Error("wrong bytes")
		}
	}
}

// A save that lasts for more than half a window asks again: a base that was
// deleted or purged meanwhile vouches for nothing any more. What the save uses of
// its packs, and that may be a part, is put again.
func TestLongSaveWhoseBaseGoes(t *testing.T) {
	for _, goes := range []string{"deleted", "purged"} {
		for _, lasts := range []time.Duration{13 * time.Hour, 3 * day} {
			r, fst, mem, clock := timed(t)
			base := noise(1, 12<<20)
			mustSave(t, r, "m", base)
			clock.advance(30 * day)
			other := openOn(t, mem, nil)
			body := slices.Concat(base[:8<<20], noise(2, 90<<20))
			var once sync.Once
			putting := make(chan struct{}) // closed when the base has been read
			fst.Plan(func(c faultstore.Call) faultstore.Fault {
				if c.Op == "put" && strings.HasPrefix(c.Key, "packs/") {
					once.Do(func() { close(putting) })
				}
				return faultstore.Fault{}
			})
			var rep SaveReport
			mustSave(t, r, "m", &slow{body: body, pause: func() {
				<-putting
				if clock.advance(lasts); goes == "deleted" {
					mustDelete(t, other, "m@1.0.0")
				} else {
					mustPurge(t, other, "m@1.0.0", nil)
				}
			}}, WithReport(&rep))
			fst.Plan(nil)
			if rep.Reused < 4<<20 {
				t.Errorf("%s: %d bytes were reused", goes, rep.Reused)
			}
			era := r.ledger.Settings.Times.EraOf(clock.now())
			for _, p := range manifestOf(t, r, "m").Packs() {
				if p.Era+1 < era {
					t.Errorf("%s, %s: it names a pack of the base, of era %d; it is era %d", goes, lasts, p.Era, era)
				}
			}
			clock.advance(30 * day)
			mustGC(t, r)
			mustVerify(t, r)
			if got := mustLoad[[]byte](t, r, "m"); !bytes.Equal(got, body) {
				t.Errorf("%s: wrong bytes", goes)
			}
		}
	}
}
