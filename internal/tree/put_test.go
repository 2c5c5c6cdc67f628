package tree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/internal/manifest"
)

// A load that fails loses nothing that was at the destination. What it cannot put
// back stays in the directory of the load, and the error says where.
func TestWhatWasThereIsNotLost(t *testing.T) {
	obj := New(t.Context(), &manifest.Manifest{
		Name: "m", Content: manifest.Content{Materializer: "dir", Files: []manifest.File{{Path: "new"}}},
	}, nil, "m", func(err error) error { return err })
	boom := errors.New("boom")
	for _, fails := range []int{1, 2, 3} { // the first, the second, and the second and third step
		dir := t.TempDir()
		old := filepath.Join(dir, "dest", "old")
		if err := errors.Join(os.Mkdir(filepath.Dir(old), 0o777), os.WriteFile(old, []byte("mine"), 0o666)); err != nil {
			t.Fatal(err)
		}
		d, err := obj.destination(filepath.Join(dir, "dest"), Placing{Exact: true})
		if err == nil {
			err = d.open()
		}
		if err != nil {
			t.Fatal(err)
		}
		tmp, err := openPartial(d.parent, d.base, obj.m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		step := 0
		err = d.replaceInSteps(tmp, partialTree, func(old *os.Root, from string, new *os.Root, to string, mode localfs.Mode) error {
			if step++; step == fails || fails == 3 && step == 2 {
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: boom}
			}
			return localfs.Rename(old, from, new, to, mode)
		})
		if !errors.Is(err, boom) {
			t.Errorf("%v, want %v", err, boom)
		}
		if fails == 3 {
			aside := filepath.Join(dir, tmp.name, partialAside)
			if old = filepath.Join(aside, "old"); !strings.Contains(d.failed("m", err).Error(), aside) {
				t.Errorf("%v does not say where it is", d.failed("m", err))
			}
		}
		tmp.close(t.Context(), err)
		d.close(err)
		if b, err := os.ReadFile(old); string(b) != "mine" {
			t.Errorf("%q, %v", b, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, PartialPrefix+"*")); fails < 3 && len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	}
}
