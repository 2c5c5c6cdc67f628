package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

type named struct {
	path string
	body []byte
}

func config(st store.Store, base *manifest.Manifest) Config {
	return Config{
		Store: st, Clock: new(wrapstore.Clock), Times: manifest.DefaultTimes, MaxInline: manifest.MaxInline,
		Base: func(context.Context) (*manifest.Manifest, error) { return base, nil },
	}
}

// write stores files and returns the manifest of what came of them, as it is
// read back from its register.
func write(t testing.TB, cfg Config, files []named) (*manifest.Manifest, *Result) {
	t.Helper()
	w := NewWriter(t.Context(), cfg)
	defer w.Abort()
	for i, f := range files {
		fw, err := w.Create(f.path, false)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 { // three ways to write
		case 0:
			_, err = io.Copy(fw, bytes.NewReader(f.body))
		case 1:
			_, err = fw.Write(f.body)
		case 2:
			_, err = fw.ReadFrom(iotest.HalfReader(bytes.NewReader(f.body)))
		}
		if err != nil {
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
	return decoded(t, res), res
}

func decoded(t testing.TB, res *Result) *manifest.Manifest {
	t.Helper()
	m := manifest.NewManifest("m", manifest.Version{Major: 1}, manifest.Times{Era: 1}.EraEnd(1e9))
	m.Content.Files, m.Placement.Inline, m.Placement.Packs = res.Files, res.Inline, res.Packs
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m, err = manifest.Decode(body, "m", manifest.Version{Major: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// memory is a Dest that keeps files, and checks how it is used.
type memory struct {
	mu    sync.Mutex
	files map[int][]byte
	n     map[int]int64
	done  map[int]bool
}

func (d *memory) WriteAt(i int, p []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done[i] {
		return fmt.Errorf("write to file %d after it is done", i)
	}
	if need := int(off) + len(p); need > len(d.files[i]) {
		d.files[i] = append(d.files[i], make([]byte, need-len(d.files[i]))...)
	}
	d.n[i] += int64(copy(d.files[i][off:], p))
	return nil
}

func (d *memory) Done(i int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done[i] {
		return fmt.Errorf("file %d is done twice", i)
	}
	d.done[i] = true
	return nil
}

// check reads everything back, in every way there is.
func check(t testing.TB, st store.Store, m *manifest.Manifest, files []named) {
	t.Helper()
	r := NewReader(st, m, nil)
	d := &memory{files: map[int][]byte{}, n: map[int]int64{}, done: map[int]bool{}}
	all := make([]int, len(files))
	for i := range all {
		all[i] = i
	}
	if err := r.Fetch(t.Context(), all, d); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{}
	for _, f := range files {
		want[f.path] = f.body
	}
	for i := range m.Content.Files {
		f := &m.Content.Files[i]
		body := want[f.Path]
		if !bytes.Equal(d.files[i], body) || d.n[i] != int64(len(body)) || !d.done[i] {
			t.Fatalf("fetched %q: %d bytes written, %d wanted, done %v", f.Path, d.n[i], len(body), d.done[i])
		}
		if f.SHA256 != manifest.Sum(body) || f.Size != int64(len(body)) {
			t.Fatalf("%q has the wrong digest or size", f.Path)
		}
		rc := r.Open(t.Context(), i)
		got, err := io.ReadAll(rc)
		rc.Close()
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("streamed %q: %d bytes, %v", f.Path, len(got), err)
		}
		if len(body) > 0 {
			off := rand.IntN(len(body))
			p := make([]byte, rand.IntN(len(body)-off)+1)
			if n, err := r.ReadAt(t.Context(), i, p, int64(off)); n != len(p) || err != nil || !bytes.Equal(p, body[off:off+n]) {
				t.Fatalf("read %q at %d: %d bytes, %v", f.Path, off, n, err)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, sizes := range [][]int{
		{}, {0}, {1}, {0, 0, 0}, {manifest.MaxInline}, {manifest.MaxInline + 1}, {MinChunk}, {MaxChunk}, {MaxPack},
		{MaxPack - 1, 1, MaxPack + 1}, {40 << 20}, {1 << 10, 0, 20 << 20, 5, 17 << 20, 0, 300 << 10},
		slices.Repeat([]int{4 << 10}, 6000), slices.Repeat([]int{1 << 20}, 40),
	} {
		st := memstore.New(nil)
		var files []named
		for i, n := range sizes {
			files = append(files, named{fmt.Sprintf("f%05d", i), noise(uint64(i), n)})
		}
		m, res := write(t, config(st, nil), files)
		check(t, st, m, files)
		if total := int64(0); len(res.Packs) > 0 {
			for _, p := range res.Packs {
				total += p.Size
			}
			if total != m.Size || res.Stats.Stored != m.Size || res.Stats.Read != m.Size || res.Evidence.IsZero() {
				t.Errorf("packs have %d bytes, stats %+v, the files %d", total, res.Stats, m.Size)
			}
		} else if m.Size > manifest.MaxInline {
			t.Errorf("%d bytes inline", m.Size)
		}
		// The same again stores nothing.
		m2, res := write(t, config(st, m), files)
		if res.Stats.Stored != 0 || m2.Size > manifest.MaxInline && res.Stats.Reused != m.Size {
			t.Errorf("saved again: %+v", res.Stats)
		}
		check(t, st, m2, files)
	}
}

// Random trees with much in common, version after version.
func TestGenerations(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	st := memstore.New(nil)
	var base *manifest.Manifest
	files := map[string][]byte{}
	generations := 12
	if testing.Short() {
		generations = 4
	}
	for range generations {
		for range 6 {
			name := fmt.Sprintf("f%02d", rng.IntN(30))
			switch old := files[name]; rng.IntN(5) {
			case 0:
				delete(files, name)
			case 1: // somewhere else, too
				files[fmt.Sprintf("f%02d", rng.IntN(30))] = old
			case 2:
				at := rng.IntN(len(old) + 1)
				files[name] = slices.Concat(old[:at], noise(rng.Uint64(), rng.IntN(2000)), old[at:])
			case 3:
				files[name] = noise(rng.Uint64(), rng.IntN(9<<20))
			case 4:
				files[name] = make([]byte, rng.IntN(20<<20))
			}
		}
		var list []named
		for name, body := range files {
			list = append(list, named{name, body})
		}
		slices.SortFunc(list, func(a, b named) int { return bytes.Compare([]byte(a.path), []byte(b.path)) })
		base, _ = write(t, config(st, base), list)
		check(t, st, base, list)
		for i, p := range base.Placement.Packs {
			used := int64(0)
			seen := map[int64]bool{}
			for _, f := range base.Content.Files {
				for _, c := range f.Chunks {
					if c.Pack == i && !seen[c.Offset] {
						seen[c.Offset] = true
						used += c.Size
					}
				}
			}
			if used*minReuse < p.Size {
				t.Errorf("a pack of %d bytes is named for %d of them", p.Size, used)
			}
		}
	}
}

// What is stored depends on the bytes and the base alone: two saves make the
// same packs, however their goroutines are scheduled.
func TestPacksAreReproducible(t *testing.T) {
	files := []named{{"a", noise(1, 30<<20)}, {"b", noise(2, 100)}, {"c", slices.Concat(noise(1, 10<<20), noise(3, 20<<20))}}
	_, base := write(t, config(memstore.New(nil), nil), files[:1])
	var first []manifest.Pack
	for i := range 5 {
		cfg := config(memstore.New(nil), nil)
		cfg.Buffers, cfg.Puts = 4+i, 1+i
		_, res := write(t, cfg, files)
		if i == 0 {
			first = res.Packs
		} else if !slices.Equal(first, res.Packs) {
			t.Errorf("packs differ: %v and %v", first, res.Packs)
		}
	}
	if base.Packs[0].ID != first[0].ID {
		t.Error("the first pack depends on what comes after it")
	}
}

// The id of a pack is the digest of its chunks' digests, and packs are never
// larger than allowed.
func TestPackIDs(t *testing.T) {
	st := memstore.New(nil)
	m, _ := write(t, config(st, nil), []named{{"a", noise(1, 50<<20)}})
	chunks := map[int][]manifest.Chunk{}
	for _, c := range m.Content.Files[0].Chunks {
		chunks[c.Pack] = append(chunks[c.Pack], c)
	}
	for i, p := range m.Placement.Packs {
		var sums []byte
		var size int64
		for _, c := range chunks[i] {
			sums = append(sums, c.SHA256[:]...)
			size += c.Size
		}
		if manifest.Sum(sums) != p.ID || size != p.Size || size > MaxPack {
			t.Errorf("pack %d: id %s, size %d", i, p.ID, p.Size)
		}
		if info, err := st.Stat(t.Context(), p.Key()); err != nil || info.Size != p.Size {
			t.Errorf("pack %d: %+v, %v", i, info, err)
		}
	}
}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		if i%4096 == 0 {
			p[i] = byte(pcg.Uint64())
		} else {
			p[i] = byte(i * i)
		}
	}
	return len(p), nil
}

// Memory is bounded by the buffers, however much data passes.
func TestBuffersAreBounded(t *testing.T) {
	share, err := noLimit().acquire(t.Context(), 3*MaxPack)
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(share, MaxPack, 3, upTo(3))
	ctx, cancel := context.WithCancel(t.Context())
	var got [][]byte
	for range 3 {
		b, err := p.get(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b)
	}
	go func() { p.put(got[0]) }()
	b, err := p.get(ctx)
	if err != nil || &b[0] != &got[0][0] {
		t.Errorf("the buffer put back is not the one handed out, %v", err)
	}
	cancel()
	if _, err := p.get(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a fourth buffer: %v", err)
	}
}
