package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

// table returns rows of a CSV file, n bytes of them.
func table(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,line-%d,%.4f,%v,2026-01-%02d\n", i, r.IntN(20), r.NormFloat64(), r.IntN(2) == 0, r.IntN(28)+1)
	}
	return b.Bytes()[:n]
}

func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// floats returns weights as models have them: little-endian float32.
func floats(n int) []byte {
	r := rand.New(rand.NewPCG(3, 3))
	b := make([]byte, 0, n)
	for len(b) < n {
		v := math.Float32bits(float32(r.NormFloat64() * 0.02))
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return b
}

func TestWhatIsCompressed(t *testing.T) {
	text := table(1, 1<<20)
	zipped := newEncoder(zstd.SpeedDefault, 1).EncodeAll(table(2, 4<<20), nil)
	for _, c := range []struct {
		what string
		b    []byte
		want bool
	}{
		{"CSV", text, true},
		{"4 KiB of CSV", text[:4<<10], true},
		{"1 KiB of CSV", text[:1<<10], true},
		{"less than 1 KiB", text[:1<<10-1], false},
		{"nothing", nil, false},
		{"zeros", make([]byte, 1<<20), true},
		{"noise", randomBytes(1, 1<<20), false},
		{"4 KiB of noise", randomBytes(2, 4<<10), false},
		{"1 KiB of noise", randomBytes(2, 1<<10), false},
		{"float32 weights", floats(1 << 20), false},
		{"compressed already", zipped, false},
		{"half noise, half text", append(randomBytes(3, 512<<10), text[:512<<10]...), true},
		// Flat in its frequencies, and yet repetitive: not found, as nothing more is tried.
		{"noise twice", bytes.Repeat(randomBytes(4, 256<<10), 2), false},
	} {
		f := noLimit().frames.compress(c.b)
		if (f != nil) != c.want {
			t.Errorf("%s: compressed %v, want %v", c.what, f != nil, c.want)
			continue
		}
		if f == nil {
			continue
		}
		if len(f.bytes) > len(c.b)*9/10 || f.sum != manifest.Sum(f.bytes) {
			t.Errorf("%s: %d bytes of %d", c.what, len(f.bytes), len(c.b))
		}
		got, err := new(decompressor).plain(nil, f.bytes, int64(len(c.b)))
		if err != nil || !bytes.Equal(got, c.b) {
			t.Errorf("%s: came back as %d bytes, %v", c.what, len(got), err)
		}
	}
	if f := (*compressor)(nil).compress(text); f != nil {
		t.Error("no compressor compresses")
	}
}

// An interrupted save that is run again makes the same packs only if a frame
// depends on its chunk alone: not on what the encoder had before.
func TestFramesAreRepeatable(t *testing.T) {
	chunks := make([][]byte, 24)
	for i := range chunks {
		chunks[i] = table(uint64(i), 1<<10<<(i%12))
	}
	used := noLimit().frames
	var wg sync.WaitGroup
	got := make([][]*frame, 4)
	for w := range got {
		got[w] = make([]*frame, len(chunks))
		wg.Go(func() {
			for _, i := range rand.New(rand.NewPCG(uint64(w), 0)).Perm(len(chunks)) {
				got[w][i] = used.compress(chunks[i])
			}
		})
	}
	wg.Wait()
	for i := range chunks {
		want := noLimit().frames.compress(chunks[i])
		for w := range got {
			if !bytes.Equal(got[w][i].bytes, want.bytes) {
				t.Errorf("chunk %d is compressed in another way by an encoder that was used before", i)
			}
		}
	}
}

// What a frame claims to hold is not believed: no more memory is taken than
// the chunk has bytes.
func TestBombs(t *testing.T) {
	const size = 64 << 10
	enc := func(b []byte) []byte { return newEncoder(zstd.SpeedFastest, 1).EncodeAll(b, nil) }
	streamed := func(n int) []byte { // without a size in the header
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		piece := make([]byte, 1<<20)
		for ; n > 0; n -= len(piece) {
			w.Write(piece[:min(n, len(piece))])
		}
		w.Close()
		return b.Bytes()
	}
	good := enc(make([]byte, size))
	cut := table(1, size)
	for why, stored := range map[string][]byte{
		"says it is larger":       enc(make([]byte, 256<<20)),
		"a byte larger":           enc(make([]byte, size+1)),
		"a byte smaller":          enc(make([]byte, size-1)),
		"does not say its size":   streamed(256 << 20),
		"streamed, a byte larger": streamed(size + 1),
		"many frames":             bytes.Repeat(good, 1000),
		"window of a gigabyte":    {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00},
		"a dictionary":            {0x28, 0xb5, 0x2f, 0xfd, 0x23, 0x2a, 0x00, 0x00, 0x00, 0x08, 0x01, 0x00, 0x00},
		"cut off":                 enc(cut)[:100],
		"no frame":                cut[:100],
		"nothing":                 {},
		"only skipped":            {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := new(decompressor).plain(nil, stored, size)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: decompressed to %d bytes", why, len(b))
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: took %d bytes of memory", why, n)
		}
	}
	for why, stored := range map[string][]byte{
		"its size":              good,
		"streamed":              streamed(size),
		"two frames":            append(enc(make([]byte, size/2)), enc(make([]byte, size/2))...),
		"a frame to be skipped": append(bytes.Clone(good), 0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2),
	} {
		b, err := new(decompressor).plain(nil, stored, size)
		if err != nil || !bytes.Equal(b, make([]byte, size)) {
			t.Errorf("%s: %d bytes, %v", why, len(b), err)
		}
	}
}

// A chunk is compressed again to the very size that it had, whatever encoder
// had made it.
func TestRestored(t *testing.T) {
	plain := table(7, 300<<10)
	sum := manifest.Sum(plain)
	usual := noLimit().frames.compress(plain).bytes
	for _, n := range []int{len(usual), len(usual) + 8, len(usual) + 1000, len(usual) - 800} {
		c := manifest.Chunk{SHA256: sum, Size: int64(len(plain)), Stored: int64(n), Offset: 5}
		b, err := Restored(plain, c)
		if err != nil || len(b) != n {
			t.Errorf("%d bytes (the usual are %d): got %d, %v", n, len(usual), len(b), err)
			continue
		}
		if !Holds(append([]byte("other"), b...), c) {
			t.Errorf("%d bytes: the pack does not hold it", n)
		}
		if n == len(usual) && !bytes.Equal(b, usual) {
			t.Error("the usual frame is not the first choice")
		}
	}
	if b, err := Restored(plain, manifest.Chunk{SHA256: sum, Size: int64(len(plain)), Stored: 100}); err == nil {
		t.Errorf("restored in %d bytes", len(b))
	}
	if b, err := Restored(plain, manifest.Chunk{SHA256: sum, Size: int64(len(plain))}); err != nil || !bytes.Equal(b, plain) {
		t.Errorf("not compressed: %d bytes, %v", len(b), err)
	}
}

func compressing(st store.Store) Config {
	return Config{
		Store: st, Clock: new(store.Clock), Times: manifest.DefaultTimes, Compress: true,
	}
}

// saved writes files, and returns what a reader gets of them.
func saved(t *testing.T, cfg Config, files map[string][]byte) *manifest.Manifest {
	t.Helper()
	w := NewWriter(t.Context(), cfg)
	defer w.Abort()
	for _, path := range slices.Sorted(mapKeys(files)) {
		fw, err := w.Create(path, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fw.ReadFrom(bytes.NewReader(files[path])); err != nil {
			t.Fatal(err)
		}
		if err := fw.Close(); err != nil {
			t.Fatal(err)
		}
	}
	res, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return asManifest(t, res)
}

func mapKeys(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// asManifest writes a result down and reads it again.
func asManifest(t *testing.T, res *Result) *manifest.Manifest {
	t.Helper()
	m := manifest.NewManifest("a", manifest.Version{Major: 1}, res.Evidence)
	m.Content.Files, m.Placement.Inline, m.Placement.Packs = res.Files, res.Inline, res.Packs
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = manifest.Decode(body, "a", manifest.Version{Major: 1}); err != nil {
		t.Fatal(err)
	}
	return m
}

// kinds are files of all kinds, compressible and not, small and of several
// chunks and packs.
func kinds() map[string][]byte {
	files := map[string][]byte{
		"text.csv": table(1, 20<<20), "noise": randomBytes(1, 17<<20), "empty": nil, "twice": table(1, 5<<20),
		"mixed":   slices.Concat(table(2, 3<<20), randomBytes(2, 5<<20), make([]byte, 9<<20), table(3, 100)),
		"zeros":   make([]byte, 18<<20),
		"one":     {1},
		"kilo":    table(4, 1<<10),
		"weights": floats(2 << 20),
	}
	for i := range 300 {
		files[fmt.Sprintf("small/%03d", i)] = table(uint64(i%200), 500+i*37)
		files[fmt.Sprintf("tiny/%03d", i)] = randomBytes(uint64(i), i*11)
	}
	return files
}

func compressedBytes(m *manifest.Manifest) (stored, plain int64) {
	for _, f := range m.Content.Files {
		for _, c := range f.Chunks {
			if c.Stored > 0 {
				stored += c.Stored
				plain += c.Size
			}
		}
	}
	return stored, plain
}

// kept is a Dest that keeps the files.
type kept struct {
	mu    sync.Mutex
	files map[int][]byte
	done  map[int]bool
}

func (m *kept) WriteAt(file int, p []byte, off int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := int(off) + len(p); n > len(m.files[file]) {
		m.files[file] = append(m.files[file], make([]byte, n-len(m.files[file]))...)
	}
	copy(m.files[file][off:], p)
	return nil
}

func (m *kept) Done(file int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[file] = true
	return nil
}

// checkReads reads files in every way there is.
func checkReads(t *testing.T, st store.Store, m *manifest.Manifest, files map[string][]byte) {
	t.Helper()
	for _, byFile := range []bool{false, true} {
		r := NewReader(st, m, &ReaderOptions{FileDigests: byFile})
		dst := &kept{files: map[int][]byte{}, done: map[int]bool{}}
		var all []int
		for i := range m.Content.Files {
			all = append(all, i)
		}
		if err := r.Fetch(t.Context(), all, dst); err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(9, 9))
		for i, f := range m.Content.Files {
			want := files[f.Path]
			if !dst.done[i] || !bytes.Equal(dst.files[i], want) {
				t.Errorf("%s: fetched %d bytes of %d, or altered", f.Path, len(dst.files[i]), len(want))
			}
			s := r.Open(t.Context(), i)
			got, err := io.ReadAll(s)
			s.Close()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: read %d bytes of %d, or altered: %v", f.Path, len(got), len(want), err)
			}
			if len(want) == 0 || strings.HasPrefix(f.Path, "small/") && i%50 > 0 {
				continue
			}
			for range 3 {
				off := rnd.IntN(len(want))
				p := make([]byte, min(1+rnd.IntN(100_000), len(want)-off))
				if n, err := r.ReadAt(t.Context(), i, p, int64(off)); n != len(p) || err != nil || !bytes.Equal(p, want[off:][:n]) {
					t.Errorf("%s: %d bytes at %d: %d, %v", f.Path, len(p), off, n, err)
				}
			}
		}
	}
}

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
	cfg.Clock = new(store.Clock)
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
	if _, err := Refresh(t.Context(), cfg, m.Content.Files[:1], slices.Clone(m.Placement.Packs), nil); err == nil || !strings.Contains(err.Error(), "only a part") {
		t.Errorf("a pack of which not all is used: %v", err)
	}
}
