package registry

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/tree"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// sameTree compares two trees byte for byte, with links, executable bits and
// empty directories.
func sameTree(t *testing.T, a, b string) {
	t.Helper()
	list := func(root string) map[string]string {
		m := map[string]string{}
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, p)
			switch {
			case d.IsDir():
				m[rel] = "dir"
			case d.Type()&fs.ModeSymlink != 0:
				l, err := os.Readlink(p)
				m[rel] = "-> " + l
				return err
			default:
				body, err := os.ReadFile(p)
				if err != nil {
					return err
				}
				fi, err := d.Info()
				m[rel] = string(body)
				if err == nil && fi.Mode()&0o100 != 0 {
					m[rel] += " exec"
				}
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	x, y := list(a), list(b)
	for p, v := range x {
		if w, ok := y[p]; !ok || v != w {
			t.Errorf("%q differs (there: %v)", p, ok)
		}
	}
	for p := range y {
		if _, ok := x[p]; !ok {
			t.Errorf("%q is extra", p)
		}
	}
}

func TestTreeRoundTrip(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		src := treeOnDisk(t)
		mustSave(t, r, "m", Path(src))
		out := filepath.Join(t.TempDir(), "out")
		if err := r.Load(t.Context(), "m", Path(out)); err != nil {
			t.Fatal(err)
		}
		sameTree(t, src, out)
		mustSave(t, r, "again", Path(out))
		if a, b := manifestOf(t, r, "m"), manifestOf(t, r, "again"); a.Digest != b.Digest {
			t.Error("the tree loaded has another digest than the tree saved")
		}
	})
}

// Where things go is as "cp -r" has it.
func TestDestinations(t *testing.T) {
	r, _ := inMemory(t)
	file := writeFiles(t, map[string][]byte{"model.bin": []byte("weights")})
	mustSave(t, r, "my:model", Path(filepath.Join(file, "model.bin")))
	mustSave(t, r, "my:tree", Path(writeFiles(t, map[string][]byte{"a/b": []byte("x")})))
	mustSave(t, r, "my:single", Path(writeFiles(t, map[string][]byte{"only": []byte("x")})))
	dir := t.TempDir()
	at := func(p string) string { return filepath.Join(dir, p) }
	for _, d := range []string{"there", "full/taken", "taken/model.bin", "away/here"} {
		if err := os.MkdirAll(at(d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	symlink(t, "away/here", at("link"))
	if err := os.WriteFile(at("old"), []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ref, dest, shows string
		err              error
	}{
		{"my:model", "new", "new", nil},
		{"my:model", "old", "old", nil}, // a file is replaced
		{"my:model", "there", "there/model.bin", nil},
		{"my:model", "there", "there/model.bin", nil},
		{"my:model", "missing/above/new", "missing/above/new", nil},
		{"my:model", "missing/dir/", "missing/dir/model.bin", nil},
		{"my:tree", "missing/tree/", "missing/tree/a/b", nil},
		{"my:model", "old/", "", nil},
		{"my:model", "old/below", "", nil},
		{"my:model", "full/taken", "full/taken/model.bin", nil},
		{"my:model", "taken", "", fs.ErrExist},
		{"my:model", "missing/dot/.", "missing/dot/model.bin", nil},
		{"my:tree", "missing/dots/./.", "missing/dots/a/b", nil},
		{"my:tree", "missing/up/..", "", fs.ErrNotExist},
		{"my:tree", "link/../beside/new", "away/beside/new/a/b", nil}, // from where the link leads
		{"my:tree", "tree", "tree/a/b", nil},
		{"my:tree", "tree", "tree/tree/a/b", nil},
		{"my:tree", "tree", "", fs.ErrExist}, // never merged
		{"my:tree", "old", "", fs.ErrExist},
		{"my:single", "one", "one/only", nil}, // a directory with one file is a directory
		{"my:tree", "", "", nil},
	} {
		var rep LoadReport
		dest := dir + "/" + c.dest // not cleaned
		if c.dest == "" {
			dest = ""
		}
		err := r.Load(t.Context(), c.ref, Path(dest), WithLoadReport(&rep))
		if c.shows == "" {
			if err == nil || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%s to %q: got %v, want %v", c.ref, c.dest, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s to %q: %v", c.ref, c.dest, err)
			continue
		}
		dots := strings.Contains(c.dest, "..") // and links
		if _, err := os.Stat(at(c.shows)); err != nil || !dots && !strings.HasPrefix(at(c.shows), rep.Dest) {
			t.Errorf("%s to %q: reported %s, %v", c.ref, c.dest, rep.Dest, err)
		}
	}
	noLeftovers(t, dir)
	if _, err := os.Lstat(at("beside")); err == nil {
		t.Error("what is beside where a link leads is also beside the link")
	}
}

// A name as long as the file system allows can be loaded.
func TestLongFileName(t *testing.T) {
	r, _ := inMemory(t)
	name := strings.Repeat("n", 250)
	mustSave(t, r, "m", Path(filepath.Join(writeFiles(t, map[string][]byte{name: []byte("x")}), name)))
	dir := t.TempDir()
	if err := r.Load(t.Context(), "m", Path(dir)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Error(err)
	}
	noLeftovers(t, dir)
}

// A pipe or a device is never replaced by a file.
func TestLoadReplacesNoSpecialFile(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", Path(filepath.Join(writeFiles(t, map[string][]byte{"f": []byte("x")}), "f")))
	mustSave(t, r, "tree", Path(writeFiles(t, map[string][]byte{"a/b": []byte("x")})))
	dir := t.TempDir()
	socket := filepath.Join(dir, "f") // also found as the file's name in the directory
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(socket, link); err != nil {
		t.Skip(err)
	}
	for _, dest := range []string{socket, link, dir, os.DevNull} {
		for _, ref := range []string{"m", "tree"} {
			if ref == "tree" && dest == dir {
				continue
			}
			if err := r.Load(t.Context(), ref, Path(dest)); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("load %s to %s: %v", ref, dest, err)
			}
		}
	}
	if fi, err := os.Lstat(socket); err != nil || fi.Mode()&fs.ModeSocket == 0 {
		t.Errorf("the socket is %v, %v", fi, err)
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", fi, err)
	}
}

func noLeftovers(t *testing.T, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(p), ".mindreg") {
			t.Errorf("%s was left behind", p)
		}
		return err
	})
}

// A load that fails leaves nothing, one that is cancelled nothing but what it
// has fetched, beside the destination.
func TestFailedLoadLeavesNothing(t *testing.T) {
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", Path(writeFiles(t, map[string][]byte{"a": noise(1, 20<<20), "b": noise(2, 20<<20)})))
	dir := t.TempDir()
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.N == 3 {
			return faultstore.Fault{Before: errors.New("boom")}
		}
		return faultstore.Fault{}
	})
	if err := r.Load(t.Context(), "m", Path(filepath.Join(dir, "out"))); err == nil {
		t.Error("no error")
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left %v", entries)
	}
	ctx, cancel := context.WithCancel(t.Context())
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.N == 3 {
			return faultstore.Fault{Do: cancel}
		}
		return faultstore.Fault{}
	})
	wantErr(t, r.Load(ctx, "m", Path(filepath.Join(dir, "out"))), context.Canceled)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), tree.PartialPrefix) {
		t.Errorf("left %v", entries)
	}
}

// What leads out of the object is refused on saving, and a manifest that says
// so all the same is refused on reading.
func TestNothingLeadsOut(t *testing.T) {
	r, st := inMemory(t)
	for name, target := range map[string]string{"a": "/etc/passwd", "b": "../b", "d/e": "../../x", "f": "d/../../x"} {
		dir := writeFiles(t, map[string][]byte{"d/x": []byte("x")})
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		_, err := r.Save(t.Context(), "m", Path(dir))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("link %s -> %s: %v", name, target, err)
		}
	}
	mustSave(t, r, "evil", Path(writeFiles(t, map[string][]byte{"aa/bb": []byte("x"), "cc": []byte("y")})))
	key := manifest.VersionKey("evil", Version{Major: 1})
	outside := t.TempDir()
	for _, swap := range [][2]string{
		{`"aa/bb"`, `"../bb"`}, {`"aa/bb"`, `"/aa/bb"`}, {`"aa/bb"`, `"aa/../../bb"`}, {`"aa/bb"`, `"cc/bb"`},
		{`{"path":"cc","size":1,"sha256":"a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa"}`, `{"path":"cc","link":"../../x"}`},
	} {
		body, _, err := st.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(body, []byte(swap[0])) {
			t.Fatalf("%s is not in %s", swap[0], body)
		}
		overwrite(t, st, key, func(b []byte) []byte { return reseal(t, bytes.Replace(b, []byte(swap[0]), []byte(swap[1]), 1)) })
		err = r.Load(t.Context(), "evil", Path(filepath.Join(outside, "in", "out")))
		if !errors.Is(err, ErrIntegrity) {
			t.Errorf("%s: %v", swap[1], err)
		}
		overwrite(t, st, key, func([]byte) []byte { return body })
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("written outside: %v", entries)
	}
}

// reseal gives an edited register the digest of its content, as a forger
// would.
func reseal(t *testing.T, body []byte) []byte {
	var v struct {
		Content jsontext.Value `json:"content"`
		Digest  string         `json:"digest"`
	}
	if err := unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	if err := v.Content.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(body, []byte(v.Digest), []byte(manifest.Sum(v.Content).Hex()), 1)
}

// A tree is written over what an earlier try has left of it, of which the links
// came last.
func TestTreeIsWrittenOverItself(t *testing.T) {
	r, _ := inMemory(t)
	src, dst := t.TempDir(), t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(src, "file"), noise(1, 1000), 0o666), os.Symlink("file", filepath.Join(src, "link"))); err != nil {
		t.Fatal(err)
	}
	mustSave(t, r, "m", Path(src))
	obj := must[*Object](t)(r.Object(t.Context(), "m"))
	root := must[*os.Root](t)(os.OpenRoot(dst))
	defer root.Close()
	for _, old := range []bool{false, true} {
		if err := obj.fs.WriteTree(root, old); err != nil {
			t.Errorf("over an earlier one: %t; %v", old, err)
		}
		sameTree(t, src, dst)
	}
}
