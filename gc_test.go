package registry

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/internal/gc"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// wouldGC is a dry run.
func wouldGC(t testing.TB, r *Registry) *GCReport {
	t.Helper()
	return must[*GCReport](t)(r.GC(t.Context(), &GCOptions{DryRun: true}))
}

// What was deleted is kept for exactly as long as it can come back and for
// a window and a margin after, then freed; what is live stays.
func TestGC(t *testing.T) {
	r, _, mem, clock := timed(t)
	keep, drop := noise(1, 3<<20), noise(2, 5<<20)
	mustSave(t, r, "keep", keep)
	mustSave(t, r, "drop", drop)
	mustSave(t, r, "drop", "inline")
	clock.advance(30 * day)
	mustDelete(t, r, "drop@*")
	for _, after := range []time.Duration{0, 7 * day, grace - 7*day - 1} {
		clock.advance(after)
		rep := mustGC(t, r)
		if rep.Freed.Packs > 0 || rep.Tombstones.Packs != 1 || rep.Live.Packs != 1 || rep.Versions.Purging > 0 {
			t.Errorf("after %s: %+v", after, rep)
		}
	}
	clock.advance(1)
	dry := wouldGC(t, r)
	before := keysOf(t, mem)
	if !dry.DryRun || dry.Freed.Bytes != 5<<20 || dry.Versions.Purging != 2 || len(packKeys(t, mem)) != 2 {
		t.Errorf("dry run: %+v", dry)
	}
	rep := mustGC(t, r)
	want := GCReport{
		Started: rep.Started, Seconds: rep.Seconds, Listings: 2,
		Versions: GCVersions{Live: 1, Purged: 2, Purging: 2}, Eras: GCEras{1, 1},
		Total: GCAmount{2, 8 << 20}, Live: GCAmount{1, 3 << 20}, Freed: GCAmount{1, 5 << 20},
	}
	if !reflect.DeepEqual(*rep, want) {
		t.Errorf("got  %+v\nwant %+v", *rep, want)
	}
	if after := keysOf(t, mem); len(after) != len(before)-1 {
		t.Errorf("before %v\nafter  %v", before, after)
	}
	if got := mustLoad[[]byte](t, r, "keep"); !bytes.Equal(got, keep) {
		t.Error("wrong bytes")
	}
	if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Versions != (GCVersions{Live: 1, Purged: 2}) {
		t.Errorf("the second run: %+v", rep)
	}
}

// What is purged keeps its number and its digest, cannot come back, and is
// small.
func TestPurged(t *testing.T) {
	r, _, mem, clock := timed(t)
	mustSave(t, r, "m", noise(1, 100<<10), WithMetadata(map[string]string{"k": strings.Repeat("v", 1000)}))
	digest := must[*Info](t)(r.Info(t.Context(), "m")).Digest
	mustDelete(t, r, "m@1")
	died := clock.now()
	clock.advance(grace)
	mustGC(t, r)
	var infos []Info
	for i, err := range r.AllVersions(t.Context(), "m") {
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, i)
	}
	if len(infos) != 1 || !infos[0].Purged || infos[0].Digest != digest || !infos[0].Deleted.Equal(died) || infos[0].Size != 100<<10 {
		t.Errorf("%+v", infos)
	}
	info := must[store.Info](t)(mem.Stat(t.Context(), manifest.VersionKey("m", Version{Major: 1})))
	if info.Size > 500 {
		t.Errorf("%d bytes are left", info.Size)
	}
	_, err := r.Undelete(t.Context(), "m@1", nil)
	wantErr(t, err, ErrDeleted)
	wantErr(t, r.Load(t.Context(), "m@1", new([]byte)), ErrDeleted)
	_, err = r.Save(t.Context(), "m", "x", WithVersion("1"))
	wantErr(t, err, ErrExists)
	if v := mustSave(t, r, "m", "x"); v.String() != "1.0.1" {
		t.Errorf("the next version is %s", v)
	}
}

// Packs that nothing names wait until no save can be about to name them.
func TestGCYoung(t *testing.T) {
	r, fst, mem, clock := timed(t)
	fst.Plan(atPut(0, "objects/", faultBefore))
	if _, err := r.Save(t.Context(), "m", noise(1, 1<<20)); err == nil {
		t.Fatal("no error")
	}
	fst.Plan(nil)
	times := r.ledger.Settings.Times
	end := times.EraEnd(times.EraOf(clock.now()))
	clock.advance(end.Add(day + time.Hour).Sub(clock.now()))
	if rep := mustGC(t, r); rep.Young != (GCAmount{1, 1 << 20}) || rep.Eras != (GCEras{1, 0}) {
		t.Errorf("just before: %+v", rep)
	}
	clock.advance(1)
	if rep := mustGC(t, r); rep.Freed != (GCAmount{1, 1 << 20}) || rep.Eras != (GCEras{1, 1}) || len(packKeys(t, mem)) != 0 {
		t.Errorf("just after: %+v", rep)
	}
}

// The tables of large manifests, and the packs that these name, are roots.
func TestGCTables(t *testing.T) {
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
	if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Live.Packs != 2 {
		t.Errorf("%+v", rep)
	}
	mustVerify(t, r)
	mustDelete(t, r, "m@*")
	clock.advance(grace)
	if rep := mustGC(t, r); rep.Freed.Packs != 2 || len(packKeys(t, mem)) > 0 {
		t.Errorf("%+v", rep)
	}
}

// A table that cannot be read may name any pack: nothing is deleted
// (docs/attacks.md, A25).
func TestGCStopsAtAnUnreadableTable(t *testing.T) {
	r, _, mem, clock := timed(t)
	files := map[string][]byte{}
	for i := range 8000 {
		files[fmt.Sprintf("a/long/name/to/make/the/table/large/%s/%06d", strings.Repeat("x", 60), i)] = noise(uint64(i), 40)
	}
	mustSave(t, r, "m", Path(writeFiles(t, files)))
	overwrite(t, mem, manifestOf(t, r, "m").Table.Packs[0].Key(), func(b []byte) []byte { b[0] ^= 1; return b })
	clock.advance(30 * day)
	_, err := r.GC(t.Context(), nil)
	wantErr(t, err, ErrIntegrity)
	if len(packKeys(t, mem)) != 2 {
		t.Error("packs were deleted")
	}
}

// garbage leaves a pack that a collection may free, and advances to when.
func garbage(t *testing.T, r *Registry, clock *testClock) {
	t.Helper()
	mustSave(t, r, "garbage", noise(99, 1<<20))
	mustDelete(t, r, "garbage@latest")
	clock.advance(30 * day)
}

// A registry that is saved to all the time is collected all the same.
func TestGCOfABusyRegistry(t *testing.T) {
	r, fst, mem, clock := timed(t)
	garbage(t, r, clock)
	other := openOn(t, mem, nil)
	clock.advance(time.Second)
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "list" && c.Key == manifest.ObjectsPrefix {
			return faultstore.Fault{Do: func() { clock.advance(time.Second); mustSave(t, other, "busy", "x") }}
		}
		return faultstore.Fault{}
	})
	if rep := mustGC(t, r); rep.Freed.Packs != 1 || rep.Listings != gc.EnoughListings {
		t.Errorf("%+v", rep)
	}
}

// A collection costs one request a register and one a pack that it frees,
// apart from its marker and some listings.
func TestGCCost(t *testing.T) {
	const live, dead = 9900, 100
	clock := newTestClock()
	mem := newStoreAt(t, clock.now)
	trace := tracestore.New(mem)
	r := openOn(t, trace, nil)
	pack := func(i int) manifest.Pack {
		return manifest.Pack{Era: r.ledger.Settings.Times.EraOf(clock.now()), ID: manifest.Sum(fmt.Append(nil, i)), Size: 1}
	}
	for i := range live + dead { // saving as many would take minutes
		m := manifest.NewManifest("m", Version{Major: 1, Patch: uint64(i)}, clock.now())
		sum := manifest.Sum([]byte{1})
		m.Content.Files = []manifest.File{{Path: "f", Size: 1, SHA256: sum, Chunks: []manifest.Chunk{{SHA256: sum, Size: 1}}}}
		m.Placement.Packs = []manifest.Pack{pack(i)}
		m.NotAfter = clock.now().Add(day)
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		if i >= live {
			m.State = manifest.Deleted
		}
		body := must[[]byte](t)(m.Encode())
		must[store.Info](t)(mem.Put(t.Context(), manifest.VersionKey(m.Name, m.Version), body, store.Absent))
		must[store.Info](t)(mem.Put(t.Context(), pack(i).Key(), []byte{1}, store.Absent))
	}
	clock.advance(30 * day)
	must[time.Time](t)(r.ledger.Clock.Fresh(t.Context(), r.ledger.Store, 0))
	if err := r.ledger.EnsureProbed(t.Context()); err != nil { // the probe of the day
		t.Fatal(err)
	}
	trace.Reset()
	rep := mustGC(t, r)
	if rep.Freed.Packs != dead || rep.Live.Packs != live || rep.Versions.Purging != dead {
		t.Errorf("%+v", rep)
	}
	for op, want := range map[string]int{
		"get":    live + dead + 1,        // registers, settings
		"put":    2 + dead,               // marker, report, registers purged
		"delete": dead,                   // packs
		"list":   3*(live+dead)/1000 + 1, // registers twice, packs, markers; a thousand keys a page
		"stat":   0,
		"now":    0,
	} {
		if got := trace.Count(op); got != want {
			t.Errorf("%d requests %q, want %d", got, op, want)
		}
	}
	trace.Reset()
	clock.advance(time.Second)
	mustGC(t, r)
	if got := trace.Count("put") + trace.Count("delete"); got != 3 {
		t.Errorf("%d changes when there is nothing to do, want the marker, its report, and the earlier marker's removal", got)
	}
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

// Packs of a version that came too late may be gone: nobody was told that it is
// there, and a collection does not call that a loss.
func TestLateVersionMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fst, mem, clock := timed(t)
		saveLate(t, r, fst, clock, noise(1, 8<<20))
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
