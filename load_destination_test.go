package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// Of a link at the destination, what it leads to is replaced, as a whole, and
// the link stays.
func TestLinkAtTheDestination(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", oneFile(t, "f", "new"))
	mustSave(t, r, "tree", Path(writeFiles(t, map[string][]byte{"a": []byte("new")})))
	dir := writeFiles(t, map[string][]byte{"disk/model": []byte("old"), "disk/deep/er/x": nil, "disk/old/gone": nil})
	at := func(p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }
	symlink(t, "disk/model", at("link"))
	symlink(t, "link", at("chain"))
	symlink(t, at("disk/model"), at("absolute"))
	symlink(t, "disk/deep/er", at("down"))
	symlink(t, "../../model", at("disk/deep/er/up")) // from where "down" leads
	symlink(t, "nowhere", at("dangling"))
	symlink(t, "loop", at("loop"))
	symlink(t, "disk/old", at("todir"))
	for _, link := range []string{"link", "chain", "absolute", "down/up"} {
		if err := os.WriteFile(at("disk/model"), []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		reader, err := os.Open(at("disk/model"))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Load(t.Context(), "m", Path(at(link))); err != nil {
			t.Errorf("%s: %v", link, err)
		}
		wantFile(t, at("disk/model"), "new")
		b := make([]byte, 3)
		if reader.ReadAt(b, 0); string(b) != "old" {
			t.Errorf("%s: what was open has become %q", link, b)
		}
		reader.Close()
		if fi, err := os.Lstat(at(link)); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", link, err)
		}
	}
	for _, link := range []string{"dangling", "loop"} {
		for _, opts := range [][]LoadOption{nil, {WithExact()}} {
			err := r.Load(t.Context(), "m", Path(at(link)), opts...)
			if err == nil || link == "dangling" && !strings.Contains(err.Error(), "does not exist") {
				t.Errorf("%s: %v", link, err)
			}
		}
	}
	if _, err := os.Lstat(at("nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something was written through the dangling link")
	}
	if err := r.Load(t.Context(), "tree", Path(at("todir")), WithExact()); err != nil {
		t.Fatal(err)
	}
	wantFile(t, at("disk/old/a"), "new")
	if _, err := os.Lstat(at("disk/old/gone")); err == nil {
		t.Error("of the directory that the link leads to, something is left")
	}
	noLeftovers(t, dir)
}

// With WithExact the destination is the object, whatever was there, and again.
func TestExact(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		src := treeOnDisk(t)
		mustSave(t, r, "tree", Path(src))
		mustSave(t, r, "file", oneFile(t, "f", "new"))
		for name, before := range map[string]func(string) error{
			"nothing": func(string) error { return nil },
			"a file":  func(p string) error { return os.WriteFile(p, []byte("old"), 0o666) },
			"empty":   func(p string) error { return os.Mkdir(p, 0o777) },
			"a tree": func(p string) error {
				return os.CopyFS(p, os.DirFS(writeFiles(t, map[string][]byte{"extra/x": nil, "y": nil})))
			},
			"read-only": func(p string) error {
				return errors.Join(os.MkdirAll(filepath.Join(p, "d"), 0o777), os.WriteFile(filepath.Join(p, "d", "x"), nil, 0o444), os.Chmod(filepath.Join(p, "d"), 0o555))
			},
		} {
			dir := t.TempDir()
			for _, ref := range []string{"tree", "file"} {
				dest := filepath.Join(dir, ref)
				if err := before(dest); err != nil {
					t.Fatal(err)
				}
				for again := range 3 {
					var rep LoadReport
					if err := r.Load(t.Context(), ref, Path(dest), WithExact(), WithLoadReport(&rep)); err != nil {
						t.Fatalf("%s, %s: %v", name, ref, err)
					}
					if rep.Dest != dest || rep.Replaced != (again > 0 || name != "nothing") {
						t.Errorf("%s, %s: %+v", name, ref, rep)
					}
				}
			}
			sameTree(t, src, filepath.Join(dir, "tree"))
			wantFile(t, filepath.Join(dir, "file"), "new")
			noLeftovers(t, dir)
		}
	})
}

// A directory that is replaced again and again is there at every moment, and is
// one version or another.
func TestExactIsOneStep(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("two directories cannot change places in one step here")
	}
	r, _ := inMemory(t)
	for _, v := range []string{"1", "2"} {
		mustSave(t, r, "m", Path(writeFiles(t, map[string][]byte{"a": []byte(v), "b": []byte(v)})))
	}
	dest := filepath.Join(t.TempDir(), "m")
	if err := r.Load(t.Context(), "m", Path(dest), WithExact()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			d, err := os.OpenRoot(dest) // holds it: b is of the same as a, unless it is removed meanwhile
			if err != nil {
				t.Error(err)
				return
			}
			a, err1 := d.ReadFile("a")
			b, err2 := d.ReadFile("b")
			if err1 == nil && err2 == nil && string(a) != string(b) {
				t.Errorf("a mixture: %s and %s", a, b)
			}
			d.Close()
		}
	})
	for i := range 60 {
		if err := r.Load(t.Context(), "m@1.0."+string(rune('0'+i%2)), Path(dest), WithExact()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// Many loads replace one directory at once: each gets its turn, and the directory
// is one of them in the end, complete.
func TestExactAtOnce(t *testing.T) {
	r, _ := inMemory(t)
	trees := []string{}
	for _, v := range []string{"1", "2", "3"} {
		trees = append(trees, writeFiles(t, map[string][]byte{"a" + v: []byte(v), "d/b" + v: []byte(v)}))
		mustSave(t, r, "m", Path(trees[len(trees)-1]))
	}
	mustSave(t, r, "file", oneFile(t, "f", "new"))
	dir := t.TempDir()
	dest := filepath.Join(dir, "dest")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for n := range 8 {
				ref := "m@1.0." + string(rune('0'+(i+n)%3))
				if (i+n)%4 == 3 {
					ref = "file"
				}
				if err := r.Load(t.Context(), ref, Path(dest), WithExact()); err != nil {
					t.Errorf("%s: %v", ref, err)
				}
			}
		})
	}
	wg.Wait()
	if err := r.Load(t.Context(), "m@1.0.2", Path(dest), WithExact()); err != nil {
		t.Error(err)
	}
	sameTree(t, trees[2], dest)
	noLeftovers(t, dir)
}

// WithExact never replaces a registry, or a directory that is or holds the home
// directory, the current one or a registry.
func TestExactSpares(t *testing.T) {
	base := t.TempDir()
	at := func(p string) string { return filepath.Join(base, p) }
	for _, d := range []string{"home/me", "work/here", "data"} {
		if err := os.MkdirAll(at(d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", at("home/me"))
	t.Setenv("USERPROFILE", at("home/me"))
	t.Chdir(at("work/here"))
	r, err := Open(t.Context(), at("data/reg"), &Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	mustSave(t, r, "m", "x")
	if _, err := Open(t.Context(), at("other"), &Options{Create: true}); err != nil {
		t.Fatal(err)
	}
	for _, dest := range []string{".", "..", "../here", at("work"), at("home"), at("home/me"), at("home/me/../me"), at("data"), at("data/reg"), base, "/", at("other")} {
		if err := r.Load(t.Context(), "m", Path(dest), WithExact()); err == nil {
			t.Fatalf("%s was replaced", dest)
		}
	}
	if err := r.Load(t.Context(), "m", Path("below"), WithExact()); err != nil {
		t.Error(err)
	}
}

// With WithNoClobber nothing is replaced, not even what appears while the load
// runs.
func TestNoClobber(t *testing.T) {
	r, fst, _ := faulty(t)
	mustSave(t, r, "file", Path(filepath.Join(writeFiles(t, map[string][]byte{"f": noise(1, 1<<20)}), "f")))
	mustSave(t, r, "tree", Path(writeFiles(t, map[string][]byte{"a": noise(2, 1<<20)})))
	for _, late := range []bool{false, true} {
		for _, ref := range []string{"file", "tree"} {
			dir := t.TempDir()
			dest := filepath.Join(dir, "dest")
			appear := func() { os.WriteFile(dest, []byte("old"), 0o666) }
			if late {
				fst.Plan(func(c faultstore.Call) faultstore.Fault {
					if strings.HasPrefix(c.Key, "packs/") {
						return faultstore.Fault{Do: appear}
					}
					return faultstore.Fault{}
				})
			} else {
				appear()
			}
			err := r.Load(t.Context(), ref, Path(dest), WithNoClobber())
			fst.Plan(nil)
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("late: %t, %s: %v", late, ref, err)
			}
			wantFile(t, dest, "old")
			noLeftovers(t, dir)
		}
	}
	dir := t.TempDir()
	for range 2 {
		r.Load(t.Context(), "file", Path(dir), WithNoClobber())
	}
	if _, err := os.Stat(filepath.Join(dir, "f")); err != nil {
		t.Error(err)
	}
	wantErr(t, r.Load(t.Context(), "file", Path(dir), WithNoClobber()), fs.ErrExist)
}

// An option that has no meaning is refused, not passed over.
func TestPlacingIsOfPaths(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", "x")
	var s string
	for _, o := range []LoadOption{WithExact(), WithNoClobber()} {
		if err := r.Load(t.Context(), "m", &s, o); err == nil {
			t.Error("no error for a string")
		}
	}
	if err := r.Load(t.Context(), "m", Path(filepath.Join(t.TempDir(), "x")), WithExact(), WithNoClobber()); err == nil {
		t.Error("no error for both")
	}
}

// What fails removes the directories that were made for it; what succeeds says
// whether something was replaced.
func TestParentsOfTheDestination(t *testing.T) {
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", Path(filepath.Join(writeFiles(t, map[string][]byte{"f": noise(1, 1<<20)}), "f")))
	dir := t.TempDir()
	dest := filepath.Join(dir, "a", "b", "c")
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if strings.HasPrefix(c.Key, "packs/") {
			return faultstore.Fault{Before: errors.New("boom")}
		}
		return faultstore.Fault{}
	})
	if err := r.Load(t.Context(), "m", Path(dest)); err == nil {
		t.Error("no error")
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left %v", entries)
	}
	fst.Plan(nil)
	for _, replaced := range []bool{false, true} {
		var rep LoadReport
		if err := r.Load(t.Context(), "m", Path(dest), WithLoadReport(&rep)); err != nil || rep.Replaced != replaced {
			t.Errorf("%+v, %v", rep, err)
		}
	}
}

// Nothing is loaded to a place of a registry's own, in the one that is loaded from
// or in another, also if that cannot be read.
func TestNothingGoesIntoRegistries(t *testing.T) {
	base := t.TempDir()
	at := func(p string) string { return filepath.Join(base, filepath.FromSlash(p)) }
	mine := must[*Registry](t)(Open(t.Context(), at("mine"), &Options{Create: true}))
	mustSave(t, mine, "packs", Path(writeFiles(t, map[string][]byte{"x": noise(1, 1<<20), "d/y": nil})))
	mustSave(t, mine, "file", oneFile(t, "registry.json", "{}"))
	for _, other := range []string{"other", "damaged"} {
		mustSave(t, must[*Registry](t)(Open(t.Context(), at(other), &Options{Create: true})), "m", noise(2, 1<<20))
	}
	if err := os.WriteFile(at("damaged/registry.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	symlink(t, "mine/packs", at("link"))
	for _, reg := range []string{"mine", "other", "damaged"} {
		for _, c := range []struct{ ref, dest string }{
			{"packs", "packs"}, {"packs", "packs/new"}, {"packs", "packs/new/deep"}, {"packs", "objects"}, {"packs", "tags/new"},
			{"packs", ""}, {"file", ""}, {"file", "registry.json"}, {"packs", "registry.json"}, {"packs", "../link"}, {"packs", "../link/new"},
		} {
			for _, opts := range [][]LoadOption{nil, {WithExact()}} {
				if c.dest == "" && opts != nil {
					continue // see TestExactSpares
				}
				dest := at(reg + "/" + c.dest)
				if err := mine.Load(t.Context(), c.ref, Path(dest), opts...); err == nil || !strings.Contains(err.Error(), "inside the registry") {
					t.Errorf("%s to %s, exact %t: %v", c.ref, dest, opts != nil, err)
				}
			}
		}
	}
	if err := mine.Load(t.Context(), "packs", Path(at("damaged")), WithExact()); err == nil {
		t.Error("a damaged registry was replaced")
	}
	if err := mine.Load(t.Context(), "packs", Path(at("elsewhere/packs"))); err != nil {
		t.Error(err)
	}
	if rep := must[*VerifyReport](t)(mine.Verify(t.Context(), "", nil)); len(rep.Problems) > 0 {
		t.Errorf("%+v", rep.Problems)
	}
}
