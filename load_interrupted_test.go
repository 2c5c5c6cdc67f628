package registry

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mindtrace/registry/internal/tree"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// leftovers returns the directories of interrupted loads in dir.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, tree.PartialPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// partialName returns the name of the directory in which a load of ref to
// a destination called base grows.
func partialName(t *testing.T, r *Registry, ref, base string) (name string) {
	t.Helper()
	dir := t.TempDir()
	err := r.Load(t.Context(), ref, Path(filepath.Join(dir, base)), WithProgress(func(Progress) {
		if found := leftovers(t, dir); len(found) == 1 {
			name = filepath.Base(found[0])
		}
	}))
	if err != nil || name == "" {
		t.Fatalf("%q, %v", name, err)
	}
	return name
}

// packBytes returns how many bytes of packs have been read.
func packBytes(trace *tracestore.Store) (n int64) {
	for _, c := range trace.Calls() {
		if c.Op == "get" && strings.HasPrefix(c.Key, "packs/") {
			n += c.Bytes
		}
	}
	return n
}

// A load that is interrupted half-way and run again fetches what is missing:
// also of a file whose parts were left damaged.
func TestInterruptedLoadIsContinued(t *testing.T) {
	small := map[string][]byte{}
	for i := range 160 {
		small[fmt.Sprintf("d%d/f%d", i%7, i)] = noise(uint64(i), 1<<20)
	}
	small["big"] = noise(1000, 20<<20)
	for _, c := range []struct {
		name  string
		value any
		size  int64
	}{
		{"a file", noise(1, 160<<20), 160 << 20},
		{"a tree", Path(writeFiles(t, small)), 180 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := newStore(t)
			fst := faultstore.New(mem, nil)
			trace := tracestore.New(fst)
			r := openOn(t, trace, nil)
			mustSave(t, r, "m", c.value)
			want := filepath.Join(t.TempDir(), "want")
			trace.Reset()
			if err := r.Load(t.Context(), "m", Path(want)); err != nil {
				t.Fatal(err)
			}
			total := trace.Count("get") - 1
			parent := t.TempDir()
			dest := filepath.Join(parent, "m.out")
			ctx, cancel := context.WithCancel(t.Context())
			cancelAt(fst, total/2, cancel)
			if err := r.Load(ctx, "m", Path(dest)); err == nil {
				t.Fatal("no error")
			}
			fst.Plan(nil)
			left := leftovers(t, parent)
			if len(left) != 1 {
				t.Fatalf("left %v", left)
			}
			damageOne(t, left[0])
			trace.Reset()
			if err := r.Load(t.Context(), "m", Path(dest)); err != nil {
				t.Fatal(err)
			}
			if got := packBytes(trace); got > c.size*65/100 { // some were under way
				t.Errorf("fetched %d MB of %d MB again", got>>20, c.size>>20)
			} else {
				t.Logf("fetched %d MB of %d MB", got>>20, c.size>>20)
			}
			if trace.Count("list") > 1 {
				t.Errorf("%d listings", trace.Count("list"))
			}
			sameFiles(t, want, dest)
			if left := leftovers(t, parent); left != nil {
				t.Errorf("left %v", left)
			}
		})
	}
}

// damageOne changes a byte in the middle of some file of an interrupted load.
func damageOne(t *testing.T, dir string) {
	t.Helper()
	done := false
	err := filepath.WalkDir(filepath.Join(dir, "tree"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || done {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			return err
		}
		done = true
		b[len(b)/3] ^= 1
		return os.WriteFile(path, b, 0o666)
	})
	if err != nil || !done {
		t.Fatal("nothing to damage", err)
	}
}

// sameFiles compares two files, or directories.
func sameFiles(t *testing.T, want, got string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(want, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		a, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(got + strings.TrimPrefix(path, want))
		if err == nil && !bytes.Equal(a, b) {
			err = fmt.Errorf("%s differs", path)
		}
		return err
	})
	if err != nil || n == 0 {
		t.Errorf("%d files, %v", n, err)
	}
}

// Many loads to one place at once, some of them interrupted, others while they
// go on from what those have left: the result is correct, and no leftover stays.
func TestLoadsToOnePlaceAtOnce(t *testing.T) {
	mem := newStore(t)
	r := openOn(t, mem, nil)
	body := noise(1, 20<<20)
	mustSave(t, r, "m", body)
	parent := t.TempDir()
	dest := filepath.Join(parent, "m.out")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			fst := faultstore.New(mem, nil)
			r, err := OpenStore(t.Context(), fst, "test:", nil)
			if err != nil {
				t.Error(err)
				return
			}
			for try := range 3 {
				ctx, cancel := context.WithCancel(t.Context())
				if (i+try)%2 == 0 {
					cancelAt(fst, try, cancel)
				}
				err := r.Load(ctx, "m", Path(dest))
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				fst.Plan(nil)
				cancel()
				if b, rerr := os.ReadFile(dest); err == nil && (rerr != nil || !bytes.Equal(b, body)) {
					t.Errorf("wrong bytes, %v", rerr)
				}
			}
		})
	}
	wg.Wait()
	if err := r.Load(t.Context(), "m", Path(dest)); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, parent); left != nil {
		t.Errorf("left %v", left)
	}
}
