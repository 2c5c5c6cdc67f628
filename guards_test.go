package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/gc"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// The tests here are about one line each, alone: where another check would
// have saved what it guards, they keep that one from being needed.

// manyFiles is a tree whose list of files does not fit its register.
func manyFiles(t *testing.T, seed uint64) string {
	files := map[string][]byte{}
	for i := range 8000 {
		files[fmt.Sprintf("a/long/name/to/make/the/table/large/%s/%06d", strings.Repeat("x", 60), i)] = noise(seed+uint64(i), 40)
	}
	return writeFiles(t, files)
}

// The packs of a table's version stay while its deletion can be undone.
func TestGCKeepsTablesOfTheDeleted(t *testing.T) {
	r, _, mem, clock := timed(t)
	mustSave(t, r, "m", Path(manyFiles(t, 0)))
	if manifestOf(t, r, "m").Table == nil {
		t.Fatal("the table is inside the register; make it larger")
	}
	clock.advance(30 * day)
	mustDelete(t, r, "m@*")
	clock.advance(6 * day)
	if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Tombstones.Packs != 2 || len(packKeys(t, mem)) != 2 {
		t.Errorf("%+v", rep)
	}
	if _, err := r.Undelete(t.Context(), "m@1", nil); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, r)
}

// A mirror that has other content under the same name and number repairs
// nothing.
func TestRepairTakesNoOtherContent(t *testing.T) {
	r, mem := inMemory(t)
	mustSave(t, r, "m", Path(manyFiles(t, 0)))
	mirror, _ := inMemory(t)
	mustSave(t, mirror, "m", Path(manyFiles(t, 100_000)))
	f := manifestOf(t, r, "m")
	overwrite(t, mem, f.Table.Packs[0].Key(), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	if rep, err := r.Repair(t.Context(), "", mirror, nil); err == nil && len(rep.Problems) == 0 {
		t.Errorf("%+v", rep)
	}
	if got := must[*Info](t)(r.Info(t.Context(), "m")); got.Digest != f.Digest.String() {
		t.Error("the version has become another one")
	}
}

// Of what a version's table and its data rest on, the older counts.
func TestNotAfterIsThatOfTheData(t *testing.T) {
	r, fst, _, clock := timed(t)
	start := clock.now()
	fst.Plan(nth(0, "packs/", faultstore.Fault{Do: func() { clock.advance(11 * time.Hour) }}))
	mustSave(t, r, "m", Path(manyFiles(t, 0)))
	if f := manifestOf(t, r, "m"); f.Table == nil || f.NotAfter.After(start.Add(25*time.Hour)) {
		t.Errorf("notAfter is %s after the start", f.NotAfter.Sub(start))
	}
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
		fst.Plan(nth(0, "packs/", faultstore.Fault{Do: func() {
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

// late saves m so that its register lands after its time: it is live, never
// acknowledged, and its packs are there by chance.
func late(t *testing.T, r *Registry, fst *faultstore.Store, clock *testClock, body []byte) {
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "objects/") {
			return faultstore.Fault{Late: true}
		}
		return faultstore.Fault{}
	})
	_, err := r.Save(t.Context(), "m", body)
	wantErr(t, err, ErrOutcomeUnknown)
	clock.advance(25 * time.Hour)
	fst.Plan(nil)
	fst.Release()
}

// A late version is no base, though its packs are still there.
func TestLateVersionIsNoBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fst, _, clock := timed(t)
		body := noise(1, 8<<20)
		late(t, r, fst, clock, body)
		var rep SaveReport
		mustSave(t, r, "m", body, WithReport(&rep))
		if rep.Reused > 0 {
			t.Errorf("%d bytes are reused of it", rep.Reused)
		}
	})
}

// A version that was saved too late cannot be brought back after a delete.
func TestLateVersionStaysDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fst, _, clock := timed(t)
		late(t, r, fst, clock, noise(1, 8<<20))
		mustDelete(t, r, "m@1.0.0")
		wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.0", nil)), ErrDeleted)
	})
}

// A late version is not taken for a copy that is there already.
func TestLateVersionIsCopiedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := noise(1, 8<<20)
		src, _ := inMemory(t)
		mustSave(t, src, "m", body)
		r, fst, clock := unversioned(t)
		late(t, r, fst, clock, body)
		rep := must[*CopyReport](t)(Copy(t.Context(), r, src, "m", nil))
		if rep.Present != 0 || len(rep.Copied) != 1 {
			t.Errorf("%+v", rep)
		}
	})
}

// twice is a store behind a load balancer that repeats the first put of a
// register.
type twice struct {
	store.Store
	once sync.Once
}

func (s *twice) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if strings.HasPrefix(key, "objects/") {
		s.once.Do(func() { s.Store.Put(ctx, key, body, match) })
	}
	return s.Store.Put(ctx, key, body, match)
}

// A put that was repeated is one save: it is known by its nonce.
func TestRepeatedPutIsOneSave(t *testing.T) {
	mem := newStore(t)
	openOn(t, mem, nil)
	r := openOn(t, &twice{Store: mem}, nil)
	mustSave(t, r, "m", "x")
	if got := liveVersions(t, r, "m"); !slices.Equal(got, []string{"1.0.0"}) {
		t.Errorf("there are %v", got)
	}
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

// A save that came too late removes the tags that were set on its version before it
// was undone.
func TestTooSlowSaveDropsTags(t *testing.T) {
	r, fst, mem, clock := timed(t)
	other := openOn(t, mem, nil)
	puts := 0
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "objects/") {
			switch puts++; puts {
			case 1:
				return faultstore.Fault{Do: func() { clock.advance(23*time.Hour + time.Minute) }}
			case 2:
				return faultstore.Fault{Do: func() {
					if _, err := other.Tag(context.Background(), "m@1.0.0", "prod", nil); err != nil {
						t.Error(err)
					}
				}}
			}
		}
		return faultstore.Fault{}
	})
	_, err := r.Save(t.Context(), "m", noise(1, 1<<20))
	wantErr(t, err, ErrTooSlow)
	for tag, err := range other.Tags(t.Context(), "m") {
		t.Errorf("left: %+v, %v", tag, err)
	}
}

// An update looks again after it has moved its bytes: what it was made of may
// have been deleted.
func TestUpdateBesideDelete(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	mustSave(t, r, "m", noise(1, 1<<20))
	fst.Plan(nth(0, "packs/", faultstore.Fault{Do: func() {
		must[*DeleteReport](t)(other.Delete(context.Background(), "m@1.0.0", nil))
	}}))
	var from []bool
	must[Version](t)(Update(t.Context(), r, "m", func(old []byte, info *Info) ([]byte, error) {
		from = append(from, info != nil)
		return noise(uint64(2+len(from)), 2<<20), nil
	}))
	if !slices.Equal(from, []bool{true, false}) {
		t.Errorf("it was made of a version: %v", from)
	}
}

// A milestone without a register hides nothing: not the releases below it,
// where a pre-release lies above.
func TestMilestoneWithoutRegister(t *testing.T) {
	r, mem := inMemory(t)
	for _, v := range []string{"1.0.0", "1.0.3", "2.0.0-rc.1"} {
		mustSave(t, r, "m", v, WithVersion(v))
	}
	must[store.Info](t)(mem.Put(t.Context(), manifest.MilestoneKey("m", must[Version](t)(ParseVersion("1.0.5"))), nil, store.Absent))
	if got := mustLoad[string](t, r, "m"); got != "1.0.3" {
		t.Errorf("latest is %s", got)
	}
}

// A collection goes on listing while registers show that were there before it
// began, however many listings that takes.
func TestMarkSeesAllThatWasThere(t *testing.T) {
	const objects = gc.Enough + 5
	clock := newTestClock()
	mem := newStoreAt(t, clock.now)
	h := &hiding{Store: mem, hide: func(n int, key string) bool {
		var i int
		fmt.Sscanf(strings.TrimPrefix(key, manifest.ObjectsPrefix), "n%d/", &i)
		return i >= n
	}}
	r := openOn(t, h, nil)
	for i := range objects {
		mustSave(t, r, fmt.Sprintf("n%d", i), noise(uint64(i), 1<<20))
	}
	clock.advance(30 * day)
	h.n = 0
	if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Versions.Live != objects {
		t.Errorf("%+v", rep)
	}
}

// Packs of a version that was saved too late may be gone. Its save did not succeed, so
// a collection does not count them as missing.
func TestLateVersionMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fst, mem, clock := timed(t)
		late(t, r, fst, clock, noise(1, 8<<20))
		for _, key := range packKeys(t, mem) {
			if err := mem.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if rep := mustGC(t, r); rep.Missing != 0 || rep.Versions.Live != 1 {
			t.Errorf("%+v", rep)
		}
	})
}
