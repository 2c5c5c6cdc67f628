package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/memory"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

// claim makes a version of one file that is so many times the same chunk of
// 4 MiB: a small register that claims much. With wrong set, that chunk does
// not have its digest.
func claim(t *testing.T, r *Registry, st store.Store, name, materializer string, times int, wrong bool) {
	t.Helper()
	mustSave(t, r, "source", bytes.Repeat([]byte("0123456789abcde\n"), 1<<18), WithCompression(CompressionNone))
	from := manifestOf(t, r, "source")
	pack := from.Placement.Packs[0]
	var chunk manifest.Chunk
	for _, c := range from.Content.Files[0].Chunks {
		if c.Size > chunk.Size {
			chunk = c
		}
	}
	if wrong {
		chunk.SHA256[0] ^= 1
	}
	m := manifest.NewManifest(name, Version{Major: 1}, time.Now())
	m.NotAfter = from.NotAfter
	m.Content.Materializer = materializer
	f := manifest.File{Path: "data", Size: int64(times) * chunk.Size, SHA256: manifest.Sum(nil)}
	for range times {
		f.Chunks = append(f.Chunks, chunk)
	}
	m.Content.Files = []manifest.File{f}
	m.Placement.Packs = []manifest.Pack{pack}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > 1<<20 {
		t.Fatalf("the register has %d bytes", len(body))
	}
	if _, err := st.Put(t.Context(), manifest.VersionKey(name, m.Version), body, store.Absent); err != nil {
		t.Fatal(err)
	}
}

// A file that claims to be huge takes memory for what has come of it, verified,
// wherever it is loaded into memory.
func TestClaimsTakeNoMemory(t *testing.T) {
	const times = 6000 // 24 GiB
	for _, wrong := range []bool{true, false} {
		for name, c := range map[string]struct {
			materializer string
			load         func(*Registry) error
		}{
			"bytes":  {"bytes", func(r *Registry) error { _, err := Load[[]byte](t.Context(), r, "evil"); return err }},
			"string": {"text", func(r *Registry) error { _, err := Load[string](t.Context(), r, "evil"); return err }},
			"any":    {"file", func(r *Registry) error { _, err := Load[any](t.Context(), r, "evil"); return err }},
			"time":   {"binary", func(r *Registry) error { _, err := Load[time.Time](t.Context(), r, "evil"); return err }},
			"JSON":   {"json", func(r *Registry) error { _, err := Load[[]int](t.Context(), r, "evil"); return err }},
			"gob":    {"gob", func(r *Registry) error { _, err := Load[[]int](t.Context(), r, "evil"); return err }},
			"chosen": {"other", func(r *Registry) error {
				var b []byte
				return r.Load(t.Context(), "evil", &b, WithMaterializer(material.Bytes{}))
			}},
			"ReadFile": {"bytes", func(r *Registry) error {
				_, err := fs.ReadFile(must[*Object](t)(r.Object(t.Context(), "evil")), "data")
				return err
			}},
		} {
			t.Run(fmt.Sprintf("%s, wrong: %t", name, wrong), func(t *testing.T) {
				if !wrong && memory.Machine() > times*4<<20 {
					t.Skip("this machine has so much memory")
				}
				r, st := inMemory(t)
				claim(t, r, st, "evil", c.materializer, times, wrong)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := c.load(r)
				runtime.ReadMemStats(&after)
				if wrong && !errors.Is(err, ErrIntegrity) && !errors.Is(err, ErrTooLarge) || !wrong && !errors.Is(err, ErrTooLarge) {
					t.Error(err)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > 256<<20 {
					t.Errorf("took %d MiB", took>>20)
				}
			})
		}
	}
}

// What fits the machine, but is not there, is found out before there is memory
// for it: see ReadAll.
func TestMemoryGrowsWithWhatCame(t *testing.T) {
	if memory.Machine() < 4<<30 {
		t.Skip("this machine has so little memory")
	}
	r, st := inMemory(t)
	claim(t, r, st, "evil", "bytes", 1000, true) // 4 GiB less what the machine has at least
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Load[[]byte](t.Context(), r, "evil")
	runtime.ReadMemStats(&after)
	wantErr(t, err, ErrIntegrity)
	if took := after.TotalAlloc - before.TotalAlloc; took > 256<<20 {
		t.Errorf("took %d MiB", took>>20)
	}
	mustSave(t, r, "good", noise(1, 20<<20))
	if b := mustLoad[[]byte](t, r, "good"); !bytes.Equal(b, noise(1, 20<<20)) || cap(b) > 21<<20 {
		t.Errorf("%d bytes in %d", len(b), cap(b))
	}
}

// An object that is larger than was allowed is refused before anything of it is
// fetched.
func TestMaxSize(t *testing.T) {
	mem := newStore(t)
	trace := tracestore.New(mem)
	r := openOn(t, trace, nil)
	mustSave(t, r, "m", noise(1, 1<<20))
	dest := filepath.Join(t.TempDir(), "a", "b")
	var b []byte
	for _, load := range []func(LoadOption) error{
		func(o LoadOption) error { return r.Load(t.Context(), "m", &b, o) },
		func(o LoadOption) error { return r.Load(t.Context(), "m", Path(dest), o) },
	} {
		trace.Reset()
		wantErr(t, load(WithMaxSize(1<<20-1)), ErrTooLarge)
		if n := packBytes(trace); n > 0 {
			t.Errorf("%d bytes were fetched", n)
		}
		if _, err := os.Stat(filepath.Dir(dest)); err == nil {
			t.Error("a directory was made for it")
		}
		if err := load(WithMaxSize(1 << 20)); err != nil {
			t.Error(err)
		}
	}
}

// If the disk has too little room for an object, the load says so before it fetches
// anything, with the numbers of bytes.
func TestNoRoom(t *testing.T) {
	r, st := inMemory(t)
	claim(t, r, st, "evil", "bytes", 8000, false)
	dir := t.TempDir()
	if free, known := localfs.Free(dir); !known || free > 8000*4<<20 {
		t.Skip("this disk has so much room")
	}
	err := r.Load(t.Context(), "evil", Path(filepath.Join(dir, "dest")))
	wantErr(t, err, ErrNoSpace)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(8000*4<<20)) {
		t.Errorf("%v does not say how much it needs", err)
	}
	noLeftovers(t, dir)
}
