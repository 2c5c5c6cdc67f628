package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

func TestMemoryLimitTooSmall(t *testing.T) {
	for _, limit := range []int64{-1, 1 << 20, chunk.MinMemory - 1} {
		st := memstore.New(nil)
		_, err := OpenStore(t.Context(), st, "test:", &Options{Create: true, MemoryLimit: limit})
		if err == nil || !strings.Contains(err.Error(), "84 MiB") {
			t.Errorf("limit %d: %v", limit, err)
		}
		for info, err := range st.List(t.Context(), "", "") {
			t.Errorf("it has made %s, %v", info.Key, err)
		}
	}
}

// Everything at once that moves data, in the smallest memory that there may
// be, on files and in memory.
func TestSmallestMemory(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, &Options{MemoryLimit: chunk.MinMemory})
		mirror := openOn(t, memstore.New(nil), &Options{MemoryLimit: chunk.MinMemory})
		rng := rand.NewChaCha8([32]byte{1})
		body := make([]byte, 20<<20)
		rng.Read(body)
		text := bytes.Repeat([]byte("some text that compresses well, of which there is a lot. "), 300_000)
		var g errgroup.Group
		for i := range 8 {
			name := fmt.Sprintf("o%d", i)
			data := bytes.Clone(body)
			if i%2 == 1 {
				data = bytes.Clone(text)
			}
			data[len(data)/2] ^= byte(i)
			dest := filepath.Join(t.TempDir(), name)
			g.Go(func() error {
				for range 2 {
					if _, err := r.Save(t.Context(), name, data); err != nil {
						return err
					}
				}
				return readsBack(t.Context(), r, mirror, name, dest, data)
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Registry{r, mirror} {
			if peak := r.ledger.Memory.Peak(); peak > chunk.MinMemory || peak < 3*chunk.MaxPack {
				t.Errorf("%d bytes were in use, the limit is %d", peak, chunk.MinMemory)
			}
		}
	})
}

// readsBack reads a version in every way there is.
func readsBack(ctx context.Context, r, mirror *Registry, name, dest string, want []byte) error {
	var got []byte
	if err := r.Load(ctx, name, &got); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("loaded %d bytes, %w", len(got), err)
	}
	if err := r.Load(ctx, name, Path(dest)); err != nil {
		return err
	}
	if got, err := os.ReadFile(dest); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("loaded a file of %d bytes, %w", len(got), err)
	}
	if rep, err := r.Verify(ctx, name, nil); err != nil || !rep.OK() {
		return fmt.Errorf("verify: %v, %w", rep.Problems, err)
	}
	if _, err := Copy(ctx, mirror, r, name, nil); err != nil {
		return err
	}
	obj, err := r.Object(ctx, name)
	if err != nil {
		return err
	}
	f, err := obj.Open(obj.Files()[0].Path)
	if err != nil {
		return err
	}
	defer f.Close()
	p := make([]byte, 10<<10) // in the middle, by its place
	if _, err := f.(io.ReaderAt).ReadAt(p, int64(len(want)/2)); err != nil || !bytes.Equal(p, want[len(want)/2:][:len(p)]) {
		return fmt.Errorf("read at a place: %w", err)
	}
	if _, err := mirror.Save(ctx, name+"again", io.Reader(f)); err != nil { // of what is being read
		return err
	}
	return nil
}
