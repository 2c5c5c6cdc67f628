package registry

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// rows returns n bytes of a table, which compresses well.
func rows(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,line-%d,%.4f,2026-01-%02d\n", i, r.IntN(20), r.NormFloat64(), r.IntN(28)+1)
	}
	return b.String()[:n]
}

func storedOf(t *testing.T, opts []SaveOption, save func(opts ...SaveOption)) int64 {
	t.Helper()
	var rep SaveReport
	save(append(opts, WithReport(&rep))...)
	return rep.Stored
}

func TestCompression(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		text, random := rows(1, 5<<20), noise(1, 3<<20)
		tree := writeFiles(t, map[string][]byte{"a/text.csv": []byte(text), "noise": random, "small": []byte(rows(2, 3000)), "empty": nil})
		for _, c := range []struct {
			registry   Compression
			save       []SaveOption
			compressed bool
		}{
			{"", nil, true},
			{CompressionAuto, nil, true},
			{CompressionNone, nil, false},
			{"", []SaveOption{WithCompression(CompressionNone)}, false},
			{CompressionNone, []SaveOption{WithCompression(CompressionAuto)}, true},
		} {
			r := openOn(t, st, &Options{Compression: c.registry})
			stored := storedOf(t, append(c.save, WithoutReuse()), func(opts ...SaveOption) { mustSave(t, r, "tree", Path(tree), opts...) })
			if (stored < 6<<20) != c.compressed || stored < 3<<20 {
				t.Errorf("%q and %d options: %d bytes stored", c.registry, len(c.save), stored)
			}
			f := manifestOf(t, r, "tree")
			if slices.Contains(f.Requires, "zstd") != c.compressed {
				t.Errorf("%q: requires %q", c.registry, f.Requires)
			}
			obj := must[*Object](t)(r.Object(t.Context(), "tree"))
			got := must[[]byte](t)(fs.ReadFile(obj, "a/text.csv"))
			if string(got) != text || !bytes.Equal(must[[]byte](t)(fs.ReadFile(obj, "noise")), random) {
				t.Error("wrong bytes")
			}
			dest := t.TempDir()
			if err := r.Load(t.Context(), "tree", Path(dest+"/x")); err != nil {
				t.Error(err)
			}
			mustVerify(t, r)
			if first := manifestOf(t, r, "tree@1.0.0"); first.Digest != f.Digest {
				t.Errorf("%q: the digest is another", c.registry)
			}
		}
	})
}

func TestUnknownCompression(t *testing.T) {
	r, st := inMemory(t)
	before := keysOf(t, st)
	_, err := r.Save(t.Context(), "m", "x", WithCompression("gzip"))
	if err == nil || !strings.Contains(err.Error(), `give "auto" or "none"`) {
		t.Error(err)
	}
	_, err = OpenStore(t.Context(), newStore(t), "test:", &Options{Create: true, Compression: "best"})
	if err == nil || !strings.Contains(err.Error(), `give "auto" or "none"`) {
		t.Error(err)
	}
	if !slices.Equal(keysOf(t, st), before) {
		t.Error("something was written")
	}
}

// A version whose chunks are compressed is reused by the next one, whatever
// that one's setting, and stays readable.
func TestReuseOfCompressed(t *testing.T) {
	r, _ := inMemory(t)
	text := rows(1, 12<<20)
	for i, how := range []Compression{CompressionAuto, CompressionNone, CompressionAuto} {
		body := []byte(text[:6<<20] + fmt.Sprint("version ", i) + text[6<<20:])
		stored := storedOf(t, nil, func(opts ...SaveOption) {
			mustSave(t, r, "m", body, append(opts, WithCompression(how))...)
		})
		if i > 0 && stored > 9<<20 {
			t.Errorf("%s: %d bytes stored anew", how, stored)
		}
		if !bytes.Equal(mustLoad[[]byte](t, r, "m"), body) {
			t.Error("wrong bytes")
		}
	}
	mustVerify(t, r)
}

// A tree of so many files that its table is stored in packs: the table is
// compressed, too, and a deletion, which does not read it, keeps what the
// register requires.
func TestCompressedTable(t *testing.T) {
	r, _, _, clock := timed(t)
	files := map[string][]byte{}
	for i := range 12000 {
		files[fmt.Sprintf("%d/%d", i/100, i)] = fmt.Append(nil, i)
	}
	mustSave(t, r, "many", Path(writeFiles(t, files)))
	f := manifestOf(t, r, "many")
	if f.Table == nil || f.Table.File.Chunks[0].Stored == 0 || !slices.Contains(f.Requires, "zstd") {
		t.Fatalf("table %+v, requires %q", f.Table, f.Requires)
	}
	mustDelete(t, r, "many@1.0.0")
	if _, err := r.Undelete(t.Context(), "many@1.0.0", nil); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, r)
	mustDelete(t, r, "many@1.0.0")
	clock.advance(60 * day)
	if rep := mustGC(t, r); rep.Freed.Packs == 0 || rep.Versions.Purging != 1 {
		t.Errorf("%+v", rep)
	}
	body, _, err := r.ledger.Store.Get(t.Context(), f.Stored.Key, nil)
	if err != nil || bytes.Contains(body, []byte("requires")) {
		t.Errorf("purged: %s, %v", body, err)
	}
}

// Collection keeps the packs of compressed chunks, and frees them once their
// versions are gone.
func TestGCOfCompressed(t *testing.T) {
	r, _, mem, clock := timed(t)
	mustSave(t, r, "keep", rows(1, 3<<20))
	mustSave(t, r, "drop", rows(2, 3<<20))
	clock.advance(30 * day)
	mustDelete(t, r, "drop@1.0.0")
	clock.advance(grace + 1)
	if rep := mustGC(t, r); rep.Freed.Packs != 1 || rep.Live.Packs != 1 || len(packKeys(t, mem)) != 1 {
		t.Errorf("%+v", rep)
	}
	if mustLoad[string](t, r, "keep") != rows(1, 3<<20) {
		t.Error("wrong bytes")
	}
}

// Copies between registries with and without compression have the same
// content.
func TestCopyOfCompressed(t *testing.T) {
	text := rows(1, 3<<20)
	for _, how := range []Compression{CompressionAuto, CompressionNone} {
		from, _ := inMemory(t)
		mustSave(t, from, "m", text, WithCompression(how))
		for _, at := range []Compression{CompressionAuto, CompressionNone} {
			to := openOn(t, newStore(t), &Options{Compression: at})
			rep := must[*CopyReport](t)(Copy(t.Context(), to, from, "m", nil))
			if (rep.Stored < 2<<20) != (at == CompressionAuto) {
				t.Errorf("from %s to %s: %d bytes stored", how, at, rep.Stored)
			}
			if manifestOf(t, to, "m").Digest != manifestOf(t, from, "m").Digest || mustLoad[string](t, to, "m") != text {
				t.Errorf("from %s to %s: other content", how, at)
			}
		}
	}
}

func TestDamageToCompressed(t *testing.T) {
	r, mem := inMemory(t)
	mustSave(t, r, "m", rows(1, 3<<20))
	key := packKeys(t, mem)[0]
	overwrite(t, mem, key, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
	_, err := Load[string](t.Context(), r, "m")
	wantErr(t, err, ErrIntegrity)
	rep := must[*VerifyReport](t)(r.Verify(t.Context(), "m", nil))
	if len(rep.Damage) != 1 || len(rep.Damage[0].Hurts) != 1 || rep.Damage[0].Key != key {
		t.Errorf("%+v", rep)
	}
	mustSave(t, r, "other", rows(1, 3<<20), WithoutReuse()) // the same pack: put right for both
	mustVerify(t, r)
}

// A pack of compressed chunks is made again from a mirror that has the chunks
// in another form. If frames of another encoder were in it, that is done once
// its era is over: it is not the same pack then.
func TestRepairOfCompressed(t *testing.T) {
	for _, c := range []struct {
		mirror  Compression
		foreign bool
	}{{CompressionAuto, false}, {CompressionNone, false}, {CompressionNone, true}} {
		r, _, mem, clock := timed(t)
		text := rows(1, 3<<20)
		mustSave(t, r, "m", text)
		mirror, _ := inMemory(t)
		mustSave(t, mirror, "n", text, WithCompression(c.mirror))
		key := packKeys(t, mem)[0]
		if c.foreign {
			key = refit(t, r, mem)
			if mustLoad[string](t, r, "m") != text {
				t.Fatal("wrong bytes")
			}
		}
		good, _, err := mem.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		good = bytes.Clone(good)
		overwrite(t, mem, key, func(b []byte) []byte { clear(b); return b })
		rep := must[*RepairReport](t)(r.Repair(t.Context(), "m", mirror, nil))
		if rep.OK() == c.foreign {
			t.Errorf("%+v: %+v", c, rep)
		}
		if c.foreign {
			if len(rep.Problems) == 0 || !strings.Contains(rep.Problems[0].Err.Error(), "repair it after") {
				t.Errorf("%v", rep.Problems)
			}
			clock.advance(30 * day)
			if rep := must[*RepairReport](t)(r.Repair(t.Context(), "m", mirror, nil)); !rep.OK() {
				t.Errorf("%+v", rep)
			}
		}
		mustVerify(t, r)
		now, _, err := mem.Get(t.Context(), key, nil)
		if err != nil || bytes.Equal(now, good) == c.foreign {
			t.Errorf("%+v: the same bytes as before: %v, %v", c, !c.foreign, err)
		}
		if mustLoad[string](t, r, "m") != text {
			t.Error("wrong bytes")
		}
	}
}

// refit gives every frame of m's pack 20 more bytes, as another encoder might
// have, and returns the key of the pack that this makes.
func refit(t *testing.T, r *Registry, mem store.Store) string {
	t.Helper()
	f := manifestOf(t, r, "m")
	old, _, err := mem.Get(t.Context(), f.Placement.Packs[0].Key(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var body, sums []byte
	chunks := f.Content.Files[0].Chunks
	for i := range chunks {
		c := &chunks[i]
		frame := append(slices.Concat(old[c.Offset:c.Offset+c.Len()], []byte{0x5f, 0x2a, 0x4d, 0x18, 12, 0, 0, 0}), make([]byte, 12)...)
		frame[len(frame)-1] = 7
		c.Offset, c.Stored = int64(len(body)), int64(len(frame))
		body = append(body, frame...)
		sum := manifest.Sum(frame)
		sums = append(sums, sum[:]...)
	}
	p := &f.Placement.Packs[0]
	p.ID, p.Size = manifest.Sum(sums), int64(len(body))
	if _, err := mem.Put(t.Context(), p.Key(), body, store.Absent); err != nil {
		t.Fatal(err)
	}
	f.Supersede()
	if err := f.Seal(); err != nil {
		t.Fatal(err)
	}
	reg := must[[]byte](t)(f.Encode())
	if _, err := mem.Put(t.Context(), f.Stored.Key, reg, f.Stored.Token); err != nil {
		t.Fatal(err)
	}
	return p.Key()
}
