package registry

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store/tracestore"
)

// A tree whose links were written in part, when the disk was full, is finished.
func TestTreeIsFinished(t *testing.T) {
	r, _ := inMemory(t)
	src := treeOnDisk(t)
	mustSave(t, r, "m", Path(src))
	dir := t.TempDir()
	root := must[*os.Root](t)(os.OpenRoot(dir))
	defer root.Close()
	for _, again := range []bool{false, true} {
		if err := must[*Object](t)(r.Object(t.Context(), "m")).fs.WriteTree(root, again); err != nil {
			t.Fatal(err)
		}
	}
	sameTree(t, src, dir)
}

func TestCheckout(t *testing.T) {
	other, st := inMemory(t)
	trace := tracestore.New(st)
	c := newCache(t, t.TempDir(), 1<<30)
	tree := someTree()
	mustSave(t, other, "my:tree", fs.FS(tree))
	mustSave(t, other, "same", fs.FS(tree))
	mustSave(t, other, "one", "text", WithMaterializer(material.Text{}))
	check := func(ref, want string) string {
		t.Helper()
		trace.Reset()
		dir := must[*CheckoutReport](t)(openOn(t, trace, &Options{Cache: c}).Checkout(t.Context(), ref, nil)).Dir
		if want != "" && dir != want {
			t.Errorf("%s is in %s, not in %s", ref, dir, want)
		}
		for name, f := range tree {
			info, err := os.Lstat(filepath.Join(dir, name))
			if err != nil {
				t.Error(err)
				continue
			}
			if f.Mode.IsRegular() {
				if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(b, f.Data) {
					t.Errorf("%s: %d bytes, %v", name, len(b), err)
				}
			}
			if info.Mode().Type() != f.Mode.Type() || f.Mode.IsRegular() && info.Mode()&0o222 != 0 || f.Mode&0o100 != info.Mode()&0o100 && f.Mode.IsRegular() {
				t.Errorf("%s has mode %s", name, info.Mode())
			}
		}
		return dir
	}
	dir := check("my:tree", "")
	if packs, _ := packGets(trace); packs == 0 || usage(t, c).Packs.Entries != 0 {
		t.Errorf("the first checkout cost %d requests of packs and has left %+v", packs, usage(t, c))
	}
	check("my:tree@1.0.0", dir)
	check("same", dir)
	if packs, _ := packGets(trace); packs != 0 {
		t.Errorf("what is checked out already cost %d requests of packs", packs)
	}
	one := must[*CheckoutReport](t)(openOn(t, trace, &Options{Cache: c}).Checkout(t.Context(), "one", nil)).Dir
	if entries := must[[]os.DirEntry](t)(os.ReadDir(one)); len(entries) != 1 {
		t.Errorf("an object of one file is checked out as %v", entries)
	}

	// What was changed in spite of all is made anew.
	inA := len(must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(dir, "a"))))
	for what, change := range map[string]func(path string) error{
		"written to": func(path string) error { return os.WriteFile(path, []byte("other\n"), 0o666) },
		"cut off":    func(path string) error { return os.Truncate(path, 1) },
		"removed":    os.Remove,
		"replaced":   func(path string) error { os.Remove(path); return os.Symlink("run", path) },
		"joined":     func(path string) error { return os.WriteFile(path+".more", nil, 0o666) },
	} {
		if err := os.Chmod(filepath.Join(dir, "a"), 0o777); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "a", "small.txt")
		os.Chmod(path, 0o666)
		if err := change(path); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		check("my:tree", dir)
		if entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path))); len(entries) != inA {
			t.Errorf("%s: there is %v", what, entries)
		}
	}
	if p := usage(t, c).Partial; p.Entries != 0 {
		t.Errorf("left behind: %+v", p)
	}
}

// A local registry is not cached, but checked out.
func TestCheckoutOfALocalRegistry(t *testing.T) {
	c := newCache(t, t.TempDir(), 1<<30)
	r := must[*Registry](t)(Open(t.Context(), t.TempDir(), &Options{Create: true, Cache: c, Offline: true}))
	mustSave(t, r, "big", noise(1, 1<<20))
	mustLoad[[]byte](t, r, "big")
	dir := must[*CheckoutReport](t)(r.Checkout(t.Context(), "big", nil)).Dir
	if b, err := os.ReadFile(filepath.Join(dir, "data")); err != nil || !bytes.Equal(b, noise(1, 1<<20)) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if u := usage(t, c); u.Packs.Entries != 0 || u.Registers.Entries != 0 || u.Trees.Entries != 1 {
		t.Errorf("the cache of a local registry has %+v", u)
	}
}

// Many checkouts of one version at once, through caches that were opened
// separately, return the same complete directory.
func TestCheckoutAtOnce(t *testing.T) {
	other, st := inMemory(t)
	mustSave(t, other, "my:tree", fs.FS(someTree()))
	place := t.TempDir()
	var wg sync.WaitGroup
	dirs := make([]string, 8)
	for i := range dirs {
		r := openOn(t, st, &Options{Cache: newCache(t, place, 1<<30)})
		wg.Go(func() {
			rep, err := r.Checkout(t.Context(), "my:tree", nil)
			if err != nil {
				t.Error(err)
				return
			}
			dirs[i] = rep.Dir
			if b, err := os.ReadFile(filepath.Join(dirs[i], "big.bin")); err != nil || !bytes.Equal(b, noise(1, 5<<20)) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	wg.Wait()
	for _, dir := range dirs {
		if dir != dirs[0] {
			t.Errorf("checked out to %s and to %s", dirs[0], dir)
		}
	}
	if u := usage(t, newCache(t, place, 1<<30)); u.Trees.Entries != 1 || u.Partial.Entries != 0 {
		t.Errorf("left behind: %+v", u)
	}
}
