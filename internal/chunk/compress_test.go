package chunk

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
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
	mixed := randomBytes(5, 20<<10) // of which the middle, where the sample is, is text: 5 % are gained
	copy(mixed[len(mixed)/2-5<<9:len(mixed)/2+5<<9], text)
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
		{"text among noise", mixed, false},
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
		Store: st, Clock: new(wrapstore.Clock), Times: manifest.DefaultTimes, Compress: true,
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
