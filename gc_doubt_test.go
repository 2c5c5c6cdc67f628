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

	"github.com/mindtrace/registry/internal/gc"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// What a collection does not understand may name any pack, so it deletes
// nothing (docs/attacks.md, A25 and A27).
func TestGCStopsAtWhatItCannotRead(t *testing.T) {
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
			must[store.Info](t)(st.Put(t.Context(), "objects/m/@/a1.a0.a0~-conflict-host.json", nil, store.Absent))
		}, ErrIntegrity},
		"newer register": {func(t *testing.T, st store.Store) {
			overwrite(t, st, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":2`), 1)
			})
		}, ErrNewer},
		"register of an unknown feature": {func(t *testing.T, st store.Store) {
			overwrite(t, st, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":1,"requires":["holograms"]`), 1)
			})
		}, ErrNewer},
		"feature added since the registry was opened": {func(t *testing.T, st store.Store) {
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
			_, err := r.GC(t.Context(), nil)
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

// A listing leaves registers out now and then: the collection lists again until
// nothing new shows (docs/attacks.md, A28).
func TestGCListsAgainAfterAnIncompleteListing(t *testing.T) {
	clock := newTestClock()
	mem := newStoreAt(t, clock.now)
	h := &hiding{Store: mem, hide: func(n int, key string) bool {
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
	fst := faultstore.New(mem, func(c faultstore.Call) faultstore.Fault {
		if c.Op == "get" && strings.HasPrefix(c.Key, "objects/a/") {
			return faultstore.Fault{Before: fs.ErrNotExist}
		}
		return faultstore.Fault{}
	})
	if _, err := openOn(t, fst, nil).GC(t.Context(), nil); err == nil {
		t.Error("a register has vanished, and the collection went on")
	}
	mustVerify(t, r)
}

// The store refuses to delete. The report counts that, and the collection does
// not fail (docs/attacks.md, A30).
func TestGCCountsRetainedPacks(t *testing.T) {
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
	for at := 0; ; at++ {
		r, fst, mem, clock := timed(t)
		mustSave(t, r, "m", noise(1, 1<<20))
		garbage(t, r, clock)
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.N >= at {
				return faultBefore
			}
			return faultstore.Fault{}
		})
		_, err := r.GC(t.Context(), nil)
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

// A copy that was made with any tool, in any order, is a registry that can be
// collected. Its dates are later, which is the safe side
// (docs/attacks.md, A32).
func TestGCOfACopyMadeByOtherTools(t *testing.T) {
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

// A collection goes on listing while registers show that were there before it
// began, however many listings that takes.
func TestMarkSeesAllThatWasThere(t *testing.T) {
	const objects = gc.EnoughListings + 5
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

// What other programs leave among registers and packs does not keep anything
// from being collected, is left alone, and is named once.
func TestGCPassesStrangers(t *testing.T) {
	r, _, mem, clock := timed(t)
	garbage(t, r, clock)
	strangers := []string{
		"objects/garbage/@/desktop.ini", "objects/garbage/@/thumbs.db", "objects/garbage/@/~syncthing~notes.txt.tmp",
		"objects/loose", "objects/my.json/@/thumbs.db", "packs/0000002967/thumbs.db", "packs/readme",
	}
	for _, key := range strangers {
		must[store.Info](t)(mem.Put(t.Context(), key, []byte("hi"), store.Absent))
	}
	rep := wouldGC(t, r)
	again := mustGC(t, r)
	if again.Freed.Packs != 1 || rep.Freed != again.Freed || !slices.Equal(again.Strangers, strangers) || !slices.Equal(rep.Strangers, strangers) {
		t.Errorf("dry run %+v\nthen %+v", rep, again)
	}
	for _, key := range strangers {
		must[store.Info](t)(mem.Stat(t.Context(), key))
	}
}

// However many keys of strangers there are, and however long, the report of
// a collection fits its register, in which the next one finds it.
func TestManyLongStrangers(t *testing.T) {
	r, _, mem, clock := timed(t)
	garbage(t, r, clock)
	segment := strings.Repeat("x", 97)
	for i := range 2 * gc.MaxStrangers {
		key := "objects/loose/" + strings.Repeat(segment+"/", 8) + fmt.Sprintf("%03d", i)
		must[store.Info](t)(mem.Put(t.Context(), key, nil, store.Absent))
	}
	rep := mustGC(t, r)
	if n := len(rep.Strangers); rep.Freed.Packs != 1 || n < 30 || n > gc.MaxStrangers {
		t.Errorf("%d are named, freed %+v", n, rep.Freed)
	}
}

// What may be a register that was renamed ends a collection: it may be all that
// names some packs. The error names it and is no mistake of the caller's.
func TestGCStopsAtCopiesOfRegisters(t *testing.T) {
	for _, name := range []string{"a1.a0.a0~-conflict-host.json", "x-conflict-host.json", "~syncthing~a1.a0.a0~.json.tmp", "a1.a0.a0~.json~", "a01.a0.a0~.json"} {
		r, _, mem, clock := timed(t)
		garbage(t, r, clock)
		body, _, err := mem.Get(t.Context(), manifest.VersionKey("garbage", Version{Major: 1}), nil)
		if err != nil {
			t.Fatal(err)
		}
		key := "objects/garbage/@/" + name
		must[store.Info](t)(mem.Put(t.Context(), key, body, store.Absent))
		rep, err := r.GC(t.Context(), nil)
		wantErr(t, err, ErrIntegrity)
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "move it out of the registry") {
			t.Errorf("it says %v", err)
		}
		if rep.Freed.Packs > 0 || len(packKeys(t, mem)) != 1 {
			t.Errorf("%s: %+v", name, rep)
		}
		if err := mem.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if rep := mustGC(t, r); rep.Freed.Packs != 1 {
			t.Errorf("without %s: %+v", name, rep)
		}
	}
}
