package registry

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

const purgeGrace = day + time.Hour // W+ε

func mustPurge(t testing.TB, r *Registry, ref string, opts *PurgeOptions) *PurgeReport {
	t.Helper()
	return must[*PurgeReport](t)(r.Purge(t.Context(), ref, opts))
}

// numbersOf returns the versions that a purge reports.
func numbersOf(rep *PurgeReport) (s []string) {
	for _, v := range rep.Purged {
		s = append(s, v.Version.String())
	}
	return s
}

// Purged versions, live or deleted before, are freed a window and a margin after the
// purge, and not earlier. Versions that are live or only deleted stay.
func TestPurgeFreesEarly(t *testing.T) {
	for _, first := range []string{"live", "deleted"} {
		t.Run(first, func(t *testing.T) {
			r, _, mem, clock := timed(t)
			mustSave(t, r, "keep", noise(1, 3<<20))
			mustSave(t, r, "drop", noise(2, 5<<20), WithMetadata("personal"))
			mustSave(t, r, "trash", noise(3, 1<<20))
			clock.advance(30 * day)
			mustDelete(t, r, "trash@1")
			if first == "deleted" {
				mustDelete(t, r, "drop@1")
				clock.advance(time.Hour)
			}
			rep := mustPurge(t, r, "drop@1", nil)
			want := PurgedVersion{"drop", Version{Major: 1}, 5 << 20, first == "live", clock.now().Add(purgeGrace)}
			if len(rep.Purged) != 1 || rep.Purged[0] != want {
				t.Errorf("got %+v, want %+v", rep.Purged, want)
			}
			body, _, err := mem.Get(t.Context(), manifest.VersionKey("drop", Version{Major: 1}), nil)
			if err != nil || bytes.Contains(body, []byte("personal")) {
				t.Errorf("%v, %s", err, body)
			}
			clock.advance(purgeGrace - 1)
			if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Purged != (GCAmount{1, 5 << 20}) || rep.Tombstones.Packs != 1 ||
				rep.Versions != (GCVersions{Live: 1, Deleted: 1, Purged: 1, Waiting: 1}) {
				t.Errorf("just before: %+v", rep)
			}
			clock.advance(1)
			dry := wouldGC(t, r)
			if rep := mustGC(t, r); rep.Freed != (GCAmount{1, 5 << 20}) || rep.Freed != dry.Freed || rep.Tombstones.Packs != 1 ||
				rep.Versions != (GCVersions{Live: 1, Deleted: 1, Purged: 1, Purging: 1}) || rep.Versions != dry.Versions {
				t.Errorf("just after: %+v, dry %+v", rep, dry)
			}
			body, _, _ = mem.Get(t.Context(), manifest.VersionKey("drop", Version{Major: 1}), nil)
			if bytes.Contains(body, []byte("packs")) || bytes.Contains(body, []byte("requires")) {
				t.Errorf("the register is still %s", body)
			}
			mustVerify(t, r)
			if _, err := r.Undelete(t.Context(), "trash@1", nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// What was stored just now waits until its era has been over for a window and
// a margin: the report says so.
func TestPurgeOfTheYoung(t *testing.T) {
	r, _, mem, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	frees := mustPurge(t, r, "m@latest", nil).Purged[0].Frees
	times := r.ledger.Settings.Times
	if end := times.EraEnd(times.EraOf(clock.now())); !frees.Equal(end.Add(purgeGrace)) {
		t.Errorf("freed after %s, the era ends %s", frees, end)
	}
	clock.advance(frees.Sub(clock.now()))
	if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Young.Packs != 1 {
		t.Errorf("%+v", rep)
	}
	clock.advance(1)
	if rep := mustGC(t, r); rep.Freed.Packs != 1 || len(packKeys(t, mem)) > 0 {
		t.Errorf("%+v", rep)
	}
}

// A version that is deleted for good is not found, cannot come back, keeps its
// number, and the error is ErrPurged.
func TestPurgedIsGone(t *testing.T) {
	r, _, _, clock := timed(t)
	mustSave(t, r, "m", noise(1, 100<<10))
	mustDelete(t, r, "m@1")
	died := clock.now()
	clock.advance(time.Hour)
	mustPurge(t, r, "m@1", nil)
	for _, after := range []time.Duration{0, purgeGrace} {
		clock.advance(after)
		mustGC(t, r)
		_, err := r.Undelete(t.Context(), "m@1", nil)
		wantErr(t, err, ErrPurged)
		wantErr(t, err, ErrDeleted)
		wantErr(t, err, ErrNotFound)
		wantErr(t, r.Load(t.Context(), "m@1", new([]byte)), ErrPurged)
		_, err = r.Info(t.Context(), "m@1")
		wantErr(t, err, ErrPurged)
		_, err = r.Delete(t.Context(), "m@1", nil)
		wantErr(t, err, ErrPurged)
		_, err = r.Save(t.Context(), "m", "x", WithVersion("1"))
		wantErr(t, err, ErrExists)
		for i, err := range r.AllVersions(t.Context(), "m") {
			if err != nil || !i.Purged || i.Deleted == nil || !i.Deleted.Equal(died) || i.Size != 100<<10 {
				t.Errorf("%+v, %v", i, err)
			}
		}
		if rep := mustPurge(t, r, "m@1", nil); len(rep.Purged) > 0 || rep.Before != 1 {
			t.Errorf("again: %+v", rep)
		}
		if rep := mustPurge(t, r, "m@*", nil); len(rep.Purged) > 0 || rep.Before != 1 {
			t.Errorf("again, in a range: %+v", rep)
		}
	}
	if v := mustSave(t, r, "m", "x"); v.String() != "1.0.1" {
		t.Errorf("the next version is %s", v)
	}
}

// A read of a version that is purged and collected meanwhile fails with ErrPurged.
func TestPurgedWhileRead(t *testing.T) {
	r, _, _, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	clock.advance(30 * day)
	obj := must[*Object](t)(r.Object(t.Context(), "m"))
	mustPurge(t, r, "m@1", nil)
	clock.advance(purgeGrace)
	mustGC(t, r)
	wantErr(t, r.ledger.DeletedMeanwhile(t.Context(), obj.f, loadErr(t, obj)), ErrPurged)
}

// Ranges take live and deleted versions alike, or deleted ones alone; a name
// alone takes nothing, and a dry run changes nothing.
func TestPurgeRanges(t *testing.T) {
	r, mem := inMemory(t)
	for range 4 {
		mustSave(t, r, "m", "x")
	}
	mustDelete(t, r, "m@1.0.1")
	mustDelete(t, r, "m@1.0.2")
	before := keysAndTokens(t, mem)
	for ref, want := range map[string][]string{
		"m@*": {"1.0.0", "1.0.1", "1.0.2", "1.0.3"}, "m@<1.0.2": {"1.0.0", "1.0.1"}, "m@latest": {"1.0.3"}, "m@1.0.2": {"1.0.2"},
	} {
		if got := numbersOf(mustPurge(t, r, ref, &PurgeOptions{DryRun: true})); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", ref, got, want)
		}
	}
	for ref, want := range map[string]error{"m": ErrInvalidRef, "m@9.x": ErrNotFound, "m@9.0.0": ErrNotFound, "none@*": ErrNotFound} {
		_, err := r.Purge(t.Context(), ref, nil)
		wantErr(t, err, want)
	}
	for _, ref := range []string{"m@latest", "m@1.0.3"} {
		if _, err := r.Purge(t.Context(), ref, &PurgeOptions{Deleted: true}); err == nil {
			t.Errorf("%s: no error, though it is live", ref)
		}
	}
	if after := keysAndTokens(t, mem); !slices.Equal(before, after) {
		t.Error("something was changed")
	}
	if got := numbersOf(mustPurge(t, r, "m@*", &PurgeOptions{Deleted: true})); !slices.Equal(got, []string{"1.0.1", "1.0.2"}) {
		t.Errorf("purged %v", got)
	}
	if got := liveVersions(t, r, "m"); !slices.Equal(got, []string{"1.0.0", "1.0.3"}) {
		t.Errorf("live: %v", got)
	}
}

// keysAndTokens returns the state of every key of a store.
func keysAndTokens(t *testing.T, st store.Store) (all []string) {
	for info, err := range st.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(info.Key, " ", info.Token))
	}
	return all
}

// Tags keep live versions from being purged, as from being deleted.
func TestPurgeOfTagged(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", "x", WithTag("prod"))
	mustSave(t, r, "m", "y")
	for _, ref := range []string{"m@1.0.0", "m@prod", "m@*"} {
		rep, err := r.Purge(t.Context(), ref, nil)
		wantErr(t, err, ErrTagged)
		if len(rep.Purged) > 0 {
			t.Errorf("%s: purged %v", ref, rep.Purged)
		}
	}
	mustPurge(t, r, "m@prod", &PurgeOptions{Force: true})
	for tag, err := range r.Tags(t.Context(), "m") {
		t.Errorf("left: %v, %v", tag, err)
	}
}

// A save that has read the base while it was live, and commits after it was
// purged and a collection has come by, finds its packs.
func TestPurgeBesideSaver(t *testing.T) {
	r, fst, mem, clock := timed(t)
	body := noise(1, 2<<20)
	mustSave(t, r, "m", body)
	clock.advance(30 * day)
	other := openOn(t, mem, nil)
	fst.Plan(nth(0, "objects/", faultstore.Fault{Do: func() {
		mustPurge(t, other, "m@1.0.0", nil)
		clock.advance(day - time.Hour)
		if rep := mustGC(t, other); rep.Freed.Packs > 0 {
			t.Errorf("%+v", rep)
		}
	}}))
	mustSave(t, r, "m", body)
	fst.Plan(nil)
	clock.advance(30 * day)
	if rep := mustGC(t, r); rep.Live.Packs != 1 || rep.Missing > 0 {
		t.Errorf("%+v", rep)
	}
	if got := mustLoad[[]byte](t, r, "m"); !bytes.Equal(got, body) {
		t.Error("wrong bytes")
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

// A purge fails if its version is brought back at the same moment. It succeeds if
// another process deletes or purges the version then.
func TestPurgeRaces(t *testing.T) {
	for meanwhile, want := range map[string]error{"undelete": ErrConflict, "delete": nil, "purge": nil} {
		r, fst, mem, _ := timed(t)
		other := openOn(t, mem, nil)
		mustSave(t, r, "m", noise(1, 1<<20))
		if meanwhile == "undelete" {
			mustDelete(t, r, "m@1")
		}
		done := false
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.Op != "put" || !strings.HasPrefix(c.Key, "objects/") || done {
				return faultstore.Fault{}
			}
			done = true
			return faultstore.Fault{Do: func() {
				switch meanwhile {
				case "undelete":
					if _, err := other.Undelete(t.Context(), "m@1", nil); err != nil {
						t.Error(err)
					}
				case "delete":
					mustDelete(t, other, "m@1")
				case "purge":
					mustPurge(t, other, "m@1", nil)
				}
			}}
		})
		rep, err := r.Purge(t.Context(), "m@1", nil)
		if want != nil {
			wantErr(t, err, want)
			mustLoad[[]byte](t, r, "m@1")
			continue
		}
		if err != nil || len(rep.Purged)+rep.Before != 1 {
			t.Errorf("%s: %+v, %v", meanwhile, rep, err)
		}
		wantErr(t, r.Load(t.Context(), "m@1", new([]byte)), ErrPurged)
	}
}

// The packs of a table, and those that it names, are kept as long and freed
// then, whether or not the table can be read by that time.
func TestPurgeOfTables(t *testing.T) {
	r, _, mem, clock := timed(t)
	files := map[string][]byte{}
	for i := range 8000 {
		files[fmt.Sprintf("a/long/name/to/make/the/table/large/%s/%06d", strings.Repeat("x", 60), i)] = noise(uint64(i), 40)
	}
	mustSave(t, r, "m", Path(writeFiles(t, files)))
	if manifestOf(t, r, "m").Table == nil {
		t.Fatal("the table is inside the register; make it larger")
	}
	clock.advance(30 * day)
	mustPurge(t, r, "m@1", nil)
	clock.advance(purgeGrace - 1)
	if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Purged.Packs != 2 {
		t.Errorf("%+v", rep)
	}
	for _, key := range packKeys(t, mem) {
		overwrite(t, mem, key, func(b []byte) []byte { b[0] ^= 1; return b })
	}
	clock.advance(1)
	if rep := mustGC(t, r); rep.Freed.Packs != 2 || len(packKeys(t, mem)) > 0 {
		t.Errorf("%+v", rep)
	}
}

// In an unversioned registry the versions below are purged too, so that none of them
// becomes the object again. The remains of a save that came too late stay.
func TestUnversionedPurge(t *testing.T) {
	for _, ref := range []string{"m@latest", "m@*", "m@1.0.1"} {
		r, fst, clock := unversioned(t)
		mustSave(t, r, "m", noise(1, 1<<20))
		fst.Plan(nth(0, "a1.a0.a0~", faultBefore))
		mustSave(t, r, "m", noise(2, 1<<20), WithoutReuse())
		fst.Plan(nil)
		if rep := mustPurge(t, r, ref, nil); !slices.Equal(numbersOf(rep), []string{"1.0.0", "1.0.1"}) {
			t.Errorf("%s: %+v, live are %v", ref, rep, liveVersions(t, r, "m"))
		}
		wantErr(t, r.Load(t.Context(), "m", new([]byte)), ErrDeleted)
		mustSave(t, r, "m", noise(3, 1<<20))
		fst.Plan(nth(0, "objects/", faultstore.Fault{Do: func() { clock.advance(2 * day) }}))
		_, err := r.Save(t.Context(), "m", noise(4, 1<<20))
		wantErr(t, err, ErrTooSlow)
		fst.Plan(nil)
		if rep := mustPurge(t, r, "m@1.0.3", nil); rep.Left != 1 || len(rep.Purged) > 0 {
			t.Errorf("%s: %+v", ref, rep)
		}
		if got := mustLoad[[]byte](t, r, "m"); !bytes.Equal(got, noise(3, 1<<20)) {
			t.Errorf("%s: the object is another", ref)
		}
	}
}
