package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

func TestCompressedFilesOfAllKinds(t *testing.T) {
	st, files := memstore.New(nil), kinds()
	m := saved(t, compressing(st), files)
	stored, plain := compressedBytes(m)
	if plain < 50<<20 || stored > plain/2 {
		t.Errorf("%d bytes are compressed to %d", plain, stored)
	}
	for _, f := range m.Content.Files {
		for _, c := range f.Chunks {
			if (f.Path == "noise" || f.Path == "weights" || strings.HasPrefix(f.Path, "tiny/")) && c.Stored > 0 {
				t.Errorf("a chunk of %s is compressed", f.Path)
			}
		}
	}
	checkIDs(t, st, m)
	checkReads(t, st, m, files)

	// The same save again makes the same packs; one that does not compress
	// makes others, and has the same content.
	again := saved(t, compressing(memstore.New(nil)), files)
	if !slices.Equal(m.Packs(), again.Packs()) {
		t.Error("the same save has made other packs")
	}
	cfg := compressing(memstore.New(nil))
	cfg.Compress = false
	if bare := saved(t, cfg, files); bare.Digest != m.Digest || len(bare.Placement.Zstd) > 0 || len(bare.Requires) > 0 {
		t.Errorf("without compression: digest %s, want %s; requires %q", bare.Digest, m.Digest, bare.Requires)
	}
}

// checkIDs checks that a pack's id is made of the digests of what is stored.
func checkIDs(t *testing.T, st store.Store, m *manifest.Manifest) {
	t.Helper()
	for i, p := range m.Placement.Packs {
		body, _, err := st.Get(t.Context(), p.Key(), nil)
		if err != nil {
			t.Fatal(err)
		}
		stored := map[int64][]byte{}
		for _, f := range m.Content.Files {
			for _, c := range f.Chunks {
				if c.Pack == i {
					stored[c.Offset] = body[c.Offset : c.Offset+c.Len()]
				}
			}
		}
		var sums []byte
		at := int64(0)
		for at < p.Size {
			b, ok := stored[at]
			if !ok {
				t.Fatalf("pack %d: nothing at %d", i, at)
			}
			sum := manifest.Sum(b)
			sums = append(sums, sum[:]...)
			at += int64(len(b))
		}
		if manifest.Sum(sums) != p.ID {
			t.Errorf("pack %d: the digests of its %d chunks do not come to its id", i, len(stored))
		}
	}
}

// Chunks of a base are reused as they are stored, compressed or not.
func TestReuseAcrossCompression(t *testing.T) {
	files := map[string][]byte{"a": table(1, 20<<20), "b": randomBytes(1, 3<<20)}
	more := map[string][]byte{"a": files["a"], "b": files["b"], "c": table(2, 3<<20)}
	for _, first := range []bool{true, false} {
		st := memstore.New(nil)
		cfg := compressing(st)
		cfg.Compress = first
		base := saved(t, cfg, files)
		cfg.Compress = !first
		cfg.Base = func(context.Context) (*manifest.Manifest, error) { return base, nil }
		m := saved(t, cfg, more)
		for _, f := range m.Content.Files {
			for i, c := range f.Chunks {
				if f.Path == "c" {
					if (c.Stored > 0) == first {
						t.Errorf("base compressed %v: a new chunk is stored in %d bytes of %d", first, c.Stored, c.Size)
					}
					continue
				}
				of := base.Content.Files[slices.IndexFunc(base.Content.Files, func(g manifest.File) bool { return g.Path == f.Path })].Chunks[i]
				if base.Placement.Packs[of.Pack] != m.Placement.Packs[c.Pack] || of.Offset != c.Offset || of.Stored != c.Stored {
					t.Errorf("base compressed %v: chunk %d of %s is %+v, was %+v", first, i, f.Path, c, of)
				}
			}
		}
		checkReads(t, st, m, more)
	}
}

// Chunks that are moved out of the packs of a base are compressed as if they
// had been saved.
func TestRelocateCompressed(t *testing.T) {
	st := memstore.New(nil)
	cfg := compressing(st)
	cfg.Compress = false
	base := saved(t, cfg, map[string][]byte{"a": table(1, 1<<20), "b": randomBytes(1, 14<<20)})
	cfg.Compress = true
	cfg.Base = func(context.Context) (*manifest.Manifest, error) { return base, nil }
	files := map[string][]byte{"a": table(1, 1<<20)}
	m := saved(t, cfg, files)
	if stored, plain := compressedBytes(m); plain != 1<<20 || stored > plain/2 {
		t.Errorf("%d bytes are compressed to %d", plain, stored)
	}
	checkIDs(t, st, m)
	checkReads(t, st, m, files)
}

// A copy is what a save of the same bytes would be, at both ends compressed
// or not.
func TestCopyCompressed(t *testing.T) {
	files := kinds()
	for from, ends := range map[bool][]bool{true: {true, false}, false: {true}} {
		for _, to := range ends {
			src, dst := memstore.New(nil), memstore.New(nil)
			cfg := compressing(src)
			cfg.Compress = from
			m := saved(t, cfg, files)
			cfg = compressing(dst)
			cfg.Compress = to
			res, err := Copy(t.Context(), cfg, src, m)
			if err != nil {
				t.Fatal(err)
			}
			got := asManifest(t, res)
			if stored, _ := compressedBytes(got); (stored > 0) != to || got.Digest != m.Digest {
				t.Errorf("from %v to %v: %d bytes compressed, digest %s of %s", from, to, stored, got.Digest, m.Digest)
			}
			checkIDs(t, dst, got)
			if from && to {
				checkReads(t, dst, got, files)
			}
		}
	}
}

// Every byte of a pack of compressed chunks counts.
func TestDamagedFrames(t *testing.T) {
	st := memstore.New(nil)
	files := map[string][]byte{"a": table(1, 3<<20), "b": table(2, 2000), "c": table(3, 2000)}
	m := saved(t, compressing(st), files)
	key := m.Placement.Packs[0].Key()
	good, info, err := st.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	good = bytes.Clone(good)
	rnd := rand.New(rand.NewPCG(5, 5))
	for n := range 60 {
		bad := bytes.Clone(good)
		at := rnd.IntN(len(bad))
		switch {
		case n == 0:
			bad = bad[:len(bad)-1]
		case n == 1:
			clear(bad)
		default:
			bad[at] ^= 1 << rnd.IntN(8)
		}
		if info, err = st.Put(t.Context(), key, bad, info.Token); err != nil {
			t.Fatal(err)
		}
		for _, byFile := range []bool{false, true} {
			r := NewReader(st, m, &ReaderOptions{FileDigests: byFile})
			err := r.Fetch(t.Context(), []int{0, 1, 2}, &kept{files: map[int][]byte{}, done: map[int]bool{}})
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("damage at %d of %d: %v", at, len(bad), err)
			}
		}
		whole := 0
		for _, f := range m.Content.Files {
			for _, c := range f.Chunks {
				if Holds(bad, c) {
					whole++
				}
			}
		}
		if n > 1 && whole == 0 {
			t.Error("one byte has damaged all")
		}
		if err := readAll(t.Context(), NewReader(st, m, nil)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("damage at %d of %d, read from start to end: %v", at, len(bad), err)
		}
	}
}

func readAll(ctx context.Context, r *Reader) error {
	var errs []error
	for i := range r.m.Content.Files {
		s := r.Open(ctx, i)
		_, err := io.Copy(io.Discard, s)
		s.Close()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Very compressible packs are read in pieces: no buffer holds more than
// MaxPack bytes.
func TestSpansStayBounded(t *testing.T) {
	st := memstore.New(nil)
	files := map[string][]byte{"zeros": make([]byte, 40<<20)}
	for i := range 12 { // one chunk each, of one pack
		files[fmt.Sprint("f", i)] = append(make([]byte, 3<<20), byte(i))
	}
	m := saved(t, compressing(st), files)
	var all []int
	for i := range m.Content.Files {
		all = append(all, i)
	}
	spans := planSmall(m, all)
	for i := range all {
		if f := &m.Content.Files[i]; len(f.Chunks) > 1 {
			spans = append(spans, planFile(m.Placement.Packs, f, i, 0, len(f.Chunks))...)
		}
	}
	for _, s := range spans {
		if s.plain > MaxPack || !s.packed {
			t.Errorf("a span of %d chunks has %d bytes", len(s.parts), s.plain)
		}
	}
	checkReads(t, st, m, files)
}

// A save that has lasted for long puts its packs into the current era once
// more, with the frames as they are.
func TestRefreshOfCompressedPacks(t *testing.T) {
	var mu sync.Mutex
	now := time.Unix(2000*7*24*3600, 0)
	st := memstore.New(&memstore.Options{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	cfg := compressing(st)
	files := map[string][]byte{"a": table(1, 3<<20), "b": randomBytes(1, 1<<20), "c": table(2, 5000), "d": table(2, 5000)}
	m := saved(t, cfg, files)
	packs := slices.Clone(m.Placement.Packs)
	mu.Lock()
	now = now.Add(8 * 24 * time.Hour)
	mu.Unlock()
	cfg.Clock = new(wrapstore.Clock)
	if _, err := Refresh(t.Context(), cfg, m.Content.Files, packs, nil); err != nil {
		t.Fatal(err)
	}
	for i, p := range packs {
		old := m.Placement.Packs[i]
		if p.Era != old.Era+1 || p.ID != old.ID || p.Size != old.Size {
			t.Errorf("pack %+v has become %+v", old, p)
		}
		a, _, aerr := st.Get(t.Context(), old.Key(), nil)
		b, _, berr := st.Get(t.Context(), p.Key(), nil)
		if aerr != nil || berr != nil || !bytes.Equal(a, b) {
			t.Errorf("pack %d: other bytes, %v, %v", i, aerr, berr)
		}
	}
	key := m.Placement.Packs[0].Key()
	b, info, err := st.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(b)
	bad[len(bad)/2] ^= 1
	if _, err := st.Put(t.Context(), key, bad, info.Token); err != nil {
		t.Fatal(err)
	}
	if err := st.Delete(t.Context(), packs[0].Key()); err != nil {
		t.Fatal(err)
	}
	packs = slices.Clone(m.Placement.Packs)
	if _, err := Refresh(t.Context(), cfg, m.Content.Files, packs, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged pack: %v", err)
	}

	// Of a pack of which not all is used, only that is put again. The rest may be
	// damaged.
	i := slices.IndexFunc(m.Content.Files, func(f manifest.File) bool { return f.Path == "c" })
	m.Content.Files = m.Content.Files[i:]
	for _, name := range []string{"a", "b"} {
		delete(files, name)
	}
	for i := range packs {
		if old, _, err := st.Get(t.Context(), packs[i].Key(), nil); err != nil || len(old) < 1<<20 {
			t.Fatalf("pack %d has %d bytes: the files are in others now", i, len(old))
		}
	}
	if _, err := Refresh(t.Context(), cfg, m.Content.Files, m.Placement.Packs, nil); err != nil {
		t.Fatal(err)
	}
	if p := m.Placement.Packs[0]; p.Era != packs[0].Era+1 || p.Size > 5000 || len(m.Placement.Packs) != 1 {
		t.Errorf("%+v has become %+v", packs, m.Placement.Packs)
	}
	checkReads(t, st, m, files)
}
