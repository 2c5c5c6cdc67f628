package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

const (
	day   = 24 * time.Hour
	grace = 7*day + day + time.Hour // R+W+ε
)

func mustGC(t testing.TB, r *Registry, opts ...GCOption) *GCReport {
	t.Helper()
	return must[*GCReport](t)(r.GC(t.Context(), opts...))
}

func mustDelete(t testing.TB, r *Registry, ref string) {
	t.Helper()
	must[[]Version](t)(r.Delete(t.Context(), ref))
}

func mustVerify(t testing.TB, r *Registry) *VerifyReport {
	t.Helper()
	rep := must[*VerifyReport](t)(r.Verify(t.Context(), ""))
	if !rep.OK() {
		t.Errorf("verify found %v", rep.Problems)
	}
	return rep
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
	dry := mustGC(t, r, WithDryRun())
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
	if *rep != want {
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
	err := r.Undelete(t.Context(), "m@1")
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
	fst.Plan(nth(0, "objects/", faultBefore))
	if _, err := r.Save(t.Context(), "m", noise(1, 1<<20)); err == nil {
		t.Fatal("no error")
	}
	fst.Plan(nil)
	times := r.settings.Times
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

// A collection that cannot read a table does not know what it names.
func TestA25UnreadableTable(t *testing.T) {
	r, _, mem, clock := timed(t)
	files := map[string][]byte{}
	for i := range 8000 {
		files[fmt.Sprintf("a/long/name/to/make/the/table/large/%s/%06d", strings.Repeat("x", 60), i)] = noise(uint64(i), 40)
	}
	mustSave(t, r, "m", Path(writeFiles(t, files)))
	overwrite(t, mem, manifestOf(t, r, "m").Table.Packs[0].Key(), func(b []byte) []byte { b[0] ^= 1; return b })
	clock.advance(30 * day)
	_, err := r.GC(t.Context())
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

// A20: the bytes of a pack that is being deleted are saved again. They go
// into the present era, where no deletion is under way.
func TestA20SaveBesideSweep(t *testing.T) {
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

// A21: a save is suspended until its own packs are collected. It is not
// acknowledged, and not seen.
func TestA21SuspendedSaver(t *testing.T) {
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

// A22 with a collection in the very moment: the commit lands after its packs
// were freed, is refused, and undone.
func TestA22CollectedBeforeTheCommit(t *testing.T) {
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
	err = r.Undelete(t.Context(), "m@1")
	wantErr(t, err, ErrDeleted)
	if !strings.Contains(err.Error(), "saved too late") {
		t.Error(err)
	}
	mustSave(t, r, "m", noise(1, 1<<20))
	if got := mustLoad[[]byte](t, r, "m@1.0.1"); !bytes.Equal(got, noise(1, 1<<20)) {
		t.Error("wrong bytes")
	}
}

// A23 with a real collection: a late manifest infects nobody.
func TestA23CollectedBase(t *testing.T) {
	patiently(t, func(t *testing.T) { // a commit whose outcome is unknown waits for a minute
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

// A24: the collection sleeps between marking and sweeping, for longer than
// any age. What was saved meanwhile stays.
func TestA24SleepsBeforeSweep(t *testing.T) {
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

// A13: while the registers are read, versions are deleted, brought back and
// saved: nothing that is live ever loses its packs.
func TestA13ChangesBesideMark(t *testing.T) {
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
							if err := other.Undelete(t.Context(), "m@1"); err != nil {
								t.Error(err)
							}
						case "save from base and delete it":
							mustSave(t, other, "a", noise(1, 1<<20), WithBase("m"))
							mustDelete(t, other, "m@1")
						case "delete and undelete":
							mustDelete(t, other, "m@1")
							if err := other.Undelete(t.Context(), "m@1"); err != nil {
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
				_ = other.Undelete(t.Context(), "m@1")
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
		if err := r.Undelete(t.Context(), "m@1"); err == nil {
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
			f.Do = func() { wantErr(t, other.Undelete(t.Context(), "m@1"), ErrTooSlow) }
		}
		return f
	})
	if err := r.Undelete(t.Context(), "m@1"); err == nil || puts != 2 {
		t.Errorf("%d puts, %v", puts, err)
	}
}

// A25: whatever is not understood may name any pack: nothing is deleted.
func TestA25Unreadable(t *testing.T) {
	for why, c := range map[string]struct {
		damage func(t *testing.T, st store.Store)
		want   error
	}{
		"damaged register": {func(t *testing.T, st store.Store) {
			overwrite(t, st, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, ErrIntegrity},
		"empty register": {func(t *testing.T, st store.Store) {
			overwrite(t, st, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte { return nil })
		}, ErrIntegrity},
		"unknown key": {func(t *testing.T, st store.Store) {
			must[store.Info](t)(st.Put(t.Context(), "objects/m/@/notes.txt", nil, store.Absent))
		}, nil},
		"A27 newer register": {func(t *testing.T, st store.Store) {
			overwrite(t, st, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":2`), 1)
			})
		}, ErrNewer},
		"A27 register of an unknown feature": {func(t *testing.T, st store.Store) {
			overwrite(t, st, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":1,"requires":["holograms"]`), 1)
			})
		}, ErrNewer},
		"A27 feature added since the registry was opened": {func(t *testing.T, st store.Store) {
			overwrite(t, st, manifest.SettingsKey, func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":1,"requires":["holograms"]`), 1)
			})
		}, ErrNewer},
		"another registry in its place": {func(t *testing.T, st store.Store) {
			other, mem := inMemory(t)
			_ = other
			body, _, err := mem.Get(t.Context(), manifest.SettingsKey, nil)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, st, manifest.SettingsKey, func([]byte) []byte { return body })
		}, nil},
	} {
		t.Run(why, func(t *testing.T) {
			r, _, mem, clock := timed(t)
			mustSave(t, r, "m", noise(1, 1<<20))
			garbage(t, r, clock)
			c.damage(t, mem)
			before := packKeys(t, mem)
			_, err := r.GC(t.Context())
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got error %v, want %v", err, c.want)
			}
			if after := packKeys(t, mem); !slices.Equal(after, before) {
				t.Errorf("%d packs are left of %d", len(after), len(before))
			}
		})
	}
}

// hiding is a store whose listings leave things out.
type hiding struct {
	store.Store
	hide func(listing int, key string) bool
	n    int
}

func (h *hiding) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if prefix == manifest.ObjectsPrefix {
			h.n++
		}
		n := h.n
		for info, err := range h.Store.List(ctx, prefix, after) {
			if err == nil && prefix == manifest.ObjectsPrefix && h.hide(n, info.Key) {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// A28: a listing that leaves registers out now and then.
func TestA28IncompleteListing(t *testing.T) {
	clock := newTestClock()
	mem := newStoreAt(t, clock.now)
	h := &hiding{Store: steadily(mem), hide: func(n int, key string) bool {
		return n == 1 && strings.Contains(key, "/a/") || n == 2 && strings.Contains(key, "/b/")
	}}
	r := openOn(t, h, nil)
	for i, name := range []string{"a", "b", "c"} {
		mustSave(t, r, name, noise(uint64(i), 1<<20))
	}
	clock.advance(30 * day)
	if rep := mustGC(t, r); rep.Freed.Packs > 0 || rep.Listings != 3 || rep.Versions.Live != 3 {
		t.Errorf("%+v", rep)
	}
	// A register that is listed and cannot be got is no reason to go on either.
	fst := newFaults(mem, func(c faultstore.Call) faultstore.Fault {
		if c.Op == "get" && strings.HasPrefix(c.Key, "objects/a/") {
			return faultstore.Fault{Before: fs.ErrNotExist}
		}
		return faultstore.Fault{}
	})
	if _, err := openOn(t, fst, nil).GC(t.Context()); err == nil {
		t.Error("a register has vanished, and the collection went on")
	}
	mustVerify(t, r)
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
	if rep := mustGC(t, r); rep.Freed.Packs != 1 || rep.Listings != enough {
		t.Errorf("%+v", rep)
	}
}

// A30: the store refuses to delete. That is counted, and no failure.
func TestA30Retained(t *testing.T) {
	r, fst, _, clock := timed(t)
	mustSave(t, r, "other", noise(98, 1<<20))
	mustDelete(t, r, "other@1")
	garbage(t, r, clock)
	refused := ""
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "delete" && strings.HasPrefix(c.Key, "packs/") && (refused == "" || refused == c.Key) {
			refused = c.Key
			return faultstore.Fault{Before: fmt.Errorf("AccessDenied: %w", fs.ErrPermission)}
		}
		return faultstore.Fault{}
	})
	if rep := mustGC(t, r); rep.Retained != (GCAmount{1, 1 << 20}) || rep.Freed != (GCAmount{1, 1 << 20}) {
		t.Errorf("%+v", rep)
	}
	fst.Plan(nil)
	if rep := mustGC(t, r); rep.Freed != (GCAmount{1, 1 << 20}) {
		t.Errorf("%+v", rep)
	}
}

// A31: two collections at once. The second one starts, and ends, at every
// request of the first; both are right, and one marker is left.
func TestA31TwoCollections(t *testing.T) {
	for at := 0; ; at += fewer(1, 13) {
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

func markers(t *testing.T, st store.Store) (all []*manifest.Collection) {
	t.Helper()
	for info, err := range st.List(t.Context(), manifest.CollectionsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := st.Get(t.Context(), info.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, must[*manifest.Collection](t)(manifest.DecodeCollection(body)))
	}
	return all
}

// A collection may be killed at any request. The next one does its work.
func TestGCKilled(t *testing.T) {
	for at := 0; ; at += fewer(1, 5) {
		r, fst, mem, clock := timed(t)
		mustSave(t, r, "m", noise(1, 1<<20))
		garbage(t, r, clock)
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.N >= at {
				return faultBefore
			}
			return faultstore.Fault{}
		})
		_, err := r.GC(t.Context())
		fst.Plan(nil)
		mustVerify(t, r)
		clock.advance(2 * day)
		mustGC(t, r)
		if n := len(packKeys(t, mem)); n != 1 {
			t.Errorf("killed at %d: %d packs", at, n)
		}
		if n := len(markers(t, mem)); n != 1 {
			t.Errorf("killed at %d: %d markers", at, n)
		}
		if err == nil {
			break
		}
	}
}

// A32: a copy made with any tool, in any order, is a registry that can be
// collected: its dates are later, which is the safe side.
func TestA32CollectingACopy(t *testing.T) {
	r, _, mem, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	mustSave(t, r, "dead", noise(2, 1<<20))
	mustDelete(t, r, "dead@1")
	clock.advance(30 * day)
	copied := newStoreAt(t, clock.now)
	for _, key := range keysOf(t, mem) { // registers before packs
		body, _, err := mem.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		must[store.Info](t)(copied.Put(t.Context(), key, body, store.Absent))
	}
	c := openOn(t, copied, nil)
	if rep := mustGC(t, c); rep.Freed.Packs > 0 {
		t.Errorf("%+v", rep)
	}
	clock.advance(grace)
	if rep := mustGC(t, c); rep.Freed.Packs != 1 {
		t.Errorf("%+v", rep)
	}
	mustVerify(t, c)
}

// A33: a reader has R+W from the deletion on to finish; after that it is told
// what happened.
func TestA33LoadBesideDelete(t *testing.T) {
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

// A collection costs one request a register and one a pack that it frees,
// besides its marker and some listings.
func TestGCCost(t *testing.T) {
	const live, dead = 9900, 100
	clock := newTestClock()
	mem := newStoreAt(t, clock.now)
	trace := newTrace(mem)
	r := openOn(t, trace, nil)
	pack := func(i int) manifest.Pack {
		return manifest.Pack{Era: r.settings.Times.EraOf(clock.now()), ID: manifest.Sum(fmt.Append(nil, i)), Size: 1}
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
	must[time.Time](t)(r.clock.Fresh(t.Context(), r.st, 0))
	if err := r.trust(t.Context()); err != nil { // the probe of the day
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
