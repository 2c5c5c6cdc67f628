package registry

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// copyStore copies all keys, as any tool does.
func copyStore(t *testing.T, from store.Store) store.Store {
	t.Helper()
	to := newStore(t)
	for _, key := range keysOf(t, from) {
		body, _, err := from.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		must[store.Info](t)(to.Put(t.Context(), key, body, store.Absent))
	}
	return to
}

// resaved returns a registry that was made by saving the same things again,
// under the same names or others.
func resaved(t *testing.T, from *Registry, rename string) *Registry {
	t.Helper()
	to, _ := inMemory(t)
	for info, err := range from.Latest(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		for v, err := range from.Versions(t.Context(), info.Name) {
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := from.Load(t.Context(), v.Ref(), Path(dir+"/x")); err != nil {
				t.Fatal(err)
			}
			mustSave(t, to, "filler", noise(77, 300<<10)) // so that nothing lies where it did
			mustSave(t, to, info.Name+rename, Path(dir+"/x"), WithVersion(v.Version.String()), WithClass(v.Class), WithMetadata(v.Metadata))
		}
	}
	return to
}

// forRepair is a registry with versions that share packs, and a tree.
func forRepair(t *testing.T) (*Registry, store.Store) {
	r, mem := inMemory(t)
	files := map[string][]byte{}
	for i := range 60 {
		files[fmt.Sprintf("d%d/f%d", i%7, i)] = noise(uint64(i), 5000+i*10)
	}
	files["large"] = noise(1, 5<<20)
	for i, n := range []int{1500, 40_000, 900_000} { // compressed
		files[fmt.Sprintf("log%d", i)] = []byte(rows(uint64(i), n))
	}
	dir := writeFiles(t, files)
	mustSave(t, r, "tree", Path(dir))
	files["new"] = noise(5, 300<<10)
	mustSave(t, r, "tree", Path(writeFiles(t, files)), WithMetadata("second"))
	mustSave(t, r, "small", Path(writeFiles(t, map[string][]byte{"a": []byte("hello")})))
	return r, mem
}

// Whatever is damaged is restored from whatever kind of mirror has it.
func TestRepair(t *testing.T) {
	damages := map[string]func(t *testing.T, r *Registry, mem store.Store){
		"flipped bits in all packs": func(t *testing.T, r *Registry, mem store.Store) {
			for _, k := range packKeys(t, mem) {
				overwrite(t, mem, k, func(b []byte) []byte { b[0] ^= 1; b[len(b)/2] ^= 1; b[len(b)-1] ^= 1; return b })
			}
		},
		"all packs missing": func(t *testing.T, r *Registry, mem store.Store) {
			for _, k := range packKeys(t, mem) {
				if err := mem.Delete(t.Context(), k); err != nil {
					t.Fatal(err)
				}
			}
		},
		"truncated": func(t *testing.T, r *Registry, mem store.Store) {
			overwrite(t, mem, packKeys(t, mem)[0], func(b []byte) []byte { return b[:len(b)/3] })
		},
		"emptied": func(t *testing.T, r *Registry, mem store.Store) {
			overwrite(t, mem, packKeys(t, mem)[0], func([]byte) []byte { return nil })
		},
		"too long": func(t *testing.T, r *Registry, mem store.Store) {
			overwrite(t, mem, packKeys(t, mem)[0], func(b []byte) []byte { return append([]byte("x"), b...) })
		},
		"registers": func(t *testing.T, r *Registry, mem store.Store) {
			for _, v := range []string{"tree@1.0.0", "small@1.0.0"} {
				f := manifestOf(t, r, v)
				overwrite(t, mem, f.Stored.Key, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			}
		},
		"registers and packs": func(t *testing.T, r *Registry, mem store.Store) {
			overwrite(t, mem, manifestOf(t, r, "tree@1.0.0").Stored.Key, func(b []byte) []byte { return b[:100] })
			overwrite(t, mem, packKeys(t, mem)[0], func(b []byte) []byte { b[7] ^= 1; return b })
		},
	}
	for why, damage := range damages {
		for _, kind := range []string{"copy", "same names", "other names"} {
			t.Run(why+" from "+kind, func(t *testing.T) {
				r, mem := forRepair(t)
				digest := must[*Info](t)(r.Info(t.Context(), "tree@1.0.0")).Digest
				var from *Registry
				switch kind {
				case "copy":
					from = openOn(t, copyStore(t, mem), nil)
				case "same names":
					from = resaved(t, r, "")
				case "other names":
					from = resaved(t, r, "-mirror")
				}
				damage(t, r, mem)
				rep := must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
				if rep.Found.OK() {
					t.Fatal("nothing was damaged")
				}
				if strings.HasPrefix(why, "registers") && kind == "other names" {
					// A register can be known only by its name.
					if rep.OK() || len(rep.Versions) > 0 {
						t.Errorf("%+v", rep)
					}
					return
				}
				if !rep.OK() || len(rep.Packs)+len(rep.Versions) == 0 {
					t.Errorf("restored %v %v, left are %v", rep.Packs, rep.Versions, rep.Problems)
				}
				mustVerify(t, r)
				if again := must[*Info](t)(r.Info(t.Context(), "tree@1.0.0")).Digest; again != digest {
					t.Errorf("the digest is %s, was %s", again, digest)
				}
				again := must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
				if !again.Found.OK() || len(again.Packs) > 0 {
					t.Errorf("a second repair: %+v", again)
				}
				mustSave(t, r, "tree", Path(writeFiles(t, map[string][]byte{"large": noise(1, 5<<20)})))
				mustVerify(t, r)
			})
		}
	}
}

// The table of a large version is restored too: as it was from a copy, anew
// from another mirror.
func TestRepairTable(t *testing.T) {
	files := map[string][]byte{}
	for i := range 8000 {
		files[fmt.Sprintf("a/long/name/to/make/the/table/large/%s/%06d", strings.Repeat("x", 60), i)] = noise(uint64(i), 40)
	}
	dir := writeFiles(t, files)
	for _, kind := range []string{"copy", "same names"} {
		r, mem := inMemory(t)
		mustSave(t, r, "m", Path(dir))
		f := manifestOf(t, r, "m")
		if f.Table == nil {
			t.Fatal("the table is inside the register; make it larger")
		}
		from := openOn(t, copyStore(t, mem), nil)
		if kind == "same names" {
			from, _ = inMemory(t)
			mustSave(t, from, "filler", noise(77, 2<<20))
			mustSave(t, from, "m", Path(dir), WithBase("filler"))
		}
		overwrite(t, mem, f.Table.Packs[0].Key(), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		rep := must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
		if len(rep.Found.Damage) != 1 || rep.Found.Damage[0].Hurts[0].File != "" || !rep.OK() {
			t.Errorf("%s: %+v", kind, rep)
		}
		mustVerify(t, r)
		if d := must[*Info](t)(r.Info(t.Context(), "m")).Digest; d != f.Digest.String() {
			t.Errorf("%s: digest %s", kind, d)
		}
	}
}

// A mirror that is no better, or has something else under the name, is not
// believed.
func TestRepairRefuses(t *testing.T) {
	r, mem := forRepair(t)
	bad := copyStore(t, mem)
	other, _ := inMemory(t)
	mustSave(t, other, "tree", "something else", WithVersion("1.0.0"))
	for _, k := range packKeys(t, mem) {
		flip := func(b []byte) []byte { b[100] ^= 1; return b }
		overwrite(t, mem, k, flip)
		overwrite(t, bad, k, flip)
	}
	before := map[string]string{}
	for _, k := range packKeys(t, mem) {
		body, _, _ := mem.Get(t.Context(), k, nil)
		before[k] = string(body)
	}
	for why, from := range map[string]*Registry{"damaged too": openOn(t, bad, nil), "other things": other, "itself": r} {
		rep := must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
		if rep.OK() || len(rep.Packs) > 0 || len(rep.Problems) != len(rep.Found.Problems) {
			t.Errorf("%s: %+v", why, rep)
		}
		for _, p := range rep.Problems {
			if !strings.Contains(p.Err.Error(), "not repaired: ") {
				t.Errorf("%s: %v does not say why it was not repaired", why, p.Err)
			}
		}
		for k, body := range before {
			if got, _, _ := mem.Get(t.Context(), k, nil); string(got) != body {
				t.Errorf("%s: %s was changed", why, k)
			}
		}
	}
}

// The progress of a repair only rises, over all its verifications, and it is
// finished once, at the end.
func TestRepairProgress(t *testing.T) {
	r, mem := forRepair(t)
	mirror := openOn(t, copyStore(t, mem), nil)
	for _, k := range packKeys(t, mem) {
		if err := mem.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	var all []Progress
	rep := must[*RepairReport](t)(r.Repair(t.Context(), "", mirror, &RepairOptions{Progress: func(p Progress) { all = append(all, p) }}))
	if !rep.OK() || len(rep.Found.Problems) < 2 {
		t.Fatalf("%+v", rep)
	}
	for i, p := range all {
		if last := i == len(all)-1; p.Finished != last || i > 0 && p.Done < all[i-1].Done {
			t.Errorf("call %d of %d: %+v", i, len(all), p)
		}
	}
}

func largestPack(t *testing.T, r *Registry, ref string) string {
	t.Helper()
	packs := manifestOf(t, r, ref).Placement.Packs
	return slices.MaxFunc(packs, func(a, b manifest.Pack) int { return int(a.Size - b.Size) }).Key()
}

// A pack with parts that no version needs is restored without them, but only when no
// running save can rely on these parts.
func TestRepairWithGaps(t *testing.T) {
	r, _, mem, clock := timed(t)
	a, b := noise(1, 3<<20), noise(2, 3<<20)
	mustSave(t, r, "m", slices.Concat(a, b))
	mustSave(t, r, "m", a) // takes more than a quarter of the pack
	clock.advance(30 * day)
	mustDelete(t, r, "m@1.0.0")
	clock.advance(grace)
	mustGC(t, r) // what the first version was made of is forgotten
	from, _ := inMemory(t)
	mustSave(t, from, "a", a)
	key := largestPack(t, r, "m")
	if err := mem.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	rep := must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
	if !rep.OK() || !slices.Equal(rep.Packs, []string{key}) {
		t.Errorf("%+v", rep)
	}
	if got := mustLoad[[]byte](t, r, "m"); !bytes.Equal(got, a) {
		t.Error("wrong bytes")
	}

	// The same in the present era.
	r, _, mem, _ = timed(t)
	mustSave(t, r, "m", slices.Concat(a, b))
	mustSave(t, r, "m", a)
	f := must[*ledger.Record](t)(r.ledger.Read(t.Context(), "m", Version{Major: 1}))
	must[*ledger.Record](t)(r.ledger.Replace(t.Context(), f, f.Purged(time.Now())))
	if err := mem.Delete(t.Context(), largestPack(t, r, "m")); err != nil {
		t.Fatal(err)
	}
	rep = must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
	if rep.OK() || len(rep.Packs) > 0 || !strings.Contains(rep.Problems[0].Err.Error(), "repair it after") {
		t.Errorf("%+v", rep)
	}
}

// Repairing is safe to repeat, whatever becomes of its requests.
func TestRepairFaults(t *testing.T) {
	for _, fault := range []faultstore.Fault{{Before: store.ErrUnknown}, {After: store.ErrUnknown}, {Before: store.ErrRetry}} {
		for _, missing := range []bool{true, false} {
			_, mem := forRepair(t)
			from := openOn(t, copyStore(t, mem), nil)
			key := packKeys(t, mem)[0]
			if missing {
				if err := mem.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			} else {
				overwrite(t, mem, key, func(b []byte) []byte { b[9] ^= 1; return b })
			}
			fst := faultstore.New(mem, nil)
			r := openOn(t, fst, nil)
			fst.Plan(atPut(0, "packs/", fault))
			rep := must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
			if !rep.OK() || len(rep.Packs) != 1 {
				t.Errorf("%+v: %+v", fault, rep)
			}
			mustVerify(t, r)
		}
	}
	// Somebody else has changed it since it was read: it is left alone.
	_, mem := forRepair(t)
	from := openOn(t, copyStore(t, mem), nil)
	key := packKeys(t, mem)[0]
	overwrite(t, mem, key, func(b []byte) []byte { b[9] ^= 1; return b })
	fst := faultstore.New(mem, nil)
	r := openOn(t, fst, nil)
	fst.Plan(atPut(0, "packs/", faultstore.Fault{Do: func() { overwrite(t, mem, key, func(b []byte) []byte { return append(b, 1) }) }}))
	rep := must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
	if rep.OK() || !strings.Contains(rep.Problems[0].Err.Error(), "changed meanwhile") {
		t.Errorf("%+v", rep)
	}
	// No permission: said, and nothing else happens.
	fst.Plan(atPut(0, "packs/", faultstore.Fault{Before: fs.ErrPermission}))
	rep = must[*RepairReport](t)(r.Repair(t.Context(), "", from, nil))
	if rep.OK() {
		t.Errorf("%+v", rep)
	}
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

// The damaged register of a version that was purged is restored as that, though
// the mirror has the version still; not before nobody builds on its packs.
func TestRepairOfPurged(t *testing.T) {
	r, _, mem, clock := timed(t)
	mustSave(t, r, "m", noise(1, 1<<20))
	mustSave(t, r, "m", "other")
	mirror, _ := inMemory(t)
	must[*CopyReport](t)(Copy(t.Context(), mirror, r, "", nil))
	clock.advance(30 * day)
	mustPurge(t, r, "m@1.0.0", nil)
	overwrite(t, mem, manifest.VersionKey("m", Version{Major: 1}), func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"size"`), []byte(`"sise"`), 1)
	})
	for _, left := range []bool{true, false} {
		rep := must[*RepairReport](t)(r.Repair(t.Context(), "", mirror, nil))
		if rep.OK() == left || left && !strings.Contains(rep.Problems[0].Err.Error(), "repair it after 20") {
			t.Errorf("%+v", rep)
		}
		clock.advance(purgeGrace)
	}
	wantErr(t, r.Load(t.Context(), "m@1.0.0", new([]byte)), ErrPurged)
	wantErr(t, errOf(r.Undelete(t.Context(), "m@1.0.0", nil)), ErrPurged)
	if rep := mustGC(t, r); rep.Freed.Packs != 1 || rep.Versions.Purged != 1 {
		t.Errorf("%+v", rep)
	}
	mustVerify(t, r)
}
