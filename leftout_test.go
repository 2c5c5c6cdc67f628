package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/internal/cachestore"
)

// inDirectory opens a new registry in a directory.
func inDirectory(t *testing.T, dir string, opts Options) *Registry {
	t.Helper()
	opts.Create = true
	return must[*Registry](t)(Open(t.Context(), dir, &opts))
}

// putFiles makes files with their paths as contents; a path that ends in a slash is
// a directory.
func putFiles(t *testing.T, dir string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		at := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(p, "/") {
			if err := os.MkdirAll(at, 0o777); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(at, []byte(p), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// filesOf lists the entries of a version; that of a directory ends in a slash.
func filesOf(t *testing.T, r *Registry, ref string) (paths []string) {
	t.Helper()
	obj := must[*Object](t)(r.Object(t.Context(), ref))
	for _, f := range obj.f.Content.Files {
		if f.Dir {
			f.Path += "/"
		}
		paths = append(paths, f.Path)
	}
	return paths
}

// What mindreg itself has put into a saved tree, at any depth, is not the user's
// data: it is left out, and named in the report. All else is saved.
func TestOwnFilesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	putFiles(t, dir, "a.csv", "deep/er/b.csv", ".mindregrc", "not.mindreg-x", "deep/.hidden",
		".mindreg-0123456789ab/lock", ".mindreg-0123456789ab/tree/m.bin", "deep/er/.mindreg-abcdefgh/tree/",
		".mindreg-a-file", "only/.mindreg-x/tree/y", "home/.cache/")
	if err := os.Symlink("nowhere", filepath.Join(dir, "deep", ".mindreg-link")); err != nil {
		t.Fatal(err)
	}
	c := newCache(t, filepath.Join(dir, "home", ".cache", "mindreg"), 1<<20)
	r := inDirectory(t, filepath.Join(dir, "deep", "registry"), Options{Cache: c})
	mustSave(t, r, "something", noise(1, 300<<10))
	must[*CheckoutReport](t)(r.Checkout(t.Context(), "something", nil)) // so the cache is there
	inDirectory(t, filepath.Join(dir, "other"), Options{})              // is data like any other
	if err := os.CopyFS(filepath.Join(dir, "backup"), os.DirFS(filepath.Join(dir, "deep", "registry"))); err != nil {
		t.Fatal(err)
	}
	want := []string{".mindregrc", "a.csv", "deep/.hidden", "deep/er/b.csv", "home/.cache/", "not.mindreg-x", "only/", "other/registry.json"}
	const load, itself = "left by an interrupted load", "this registry, or a copy of it"
	left := []LeftOut{
		{".mindreg-0123456789ab", load}, {".mindreg-a-file", load}, {"backup", itself}, {"deep/.mindreg-link", load},
		{"deep/er/.mindreg-abcdefgh", load}, {"deep/registry", itself}, {"home/.cache/mindreg", "a cache of mindreg"}, {"only/.mindreg-x", load},
	}
	var digest string
	for range 2 { // the second finds the first in the registry
		for how, v := range map[string]any{"Path": Path(dir), "fs.FS": os.DirFS(dir)} {
			var report SaveReport
			mustSave(t, r, "tree", v, WithReport(&report), WithClass("tree"))
			got := slices.DeleteFunc(filesOf(t, r, "tree"), func(p string) bool { return strings.HasPrefix(p, "other/") && p != "other/registry.json" })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", how, diff)
			}
			if diff := cmp.Diff(left, report.LeftOut); diff != "" {
				t.Errorf("%s left out (-want +got):\n%s", how, diff)
			}
			if digest == "" {
				digest = report.Info.Digest
			} else if digest != report.Info.Digest {
				t.Errorf("%s: the unchanged tree has become another version", how)
			}
		}
	}
	// Named by itself, it is what the user wants.
	mustSave(t, r, "leftover", Path(filepath.Join(dir, ".mindreg-0123456789ab")))
	if diff := cmp.Diff([]string{"lock", "tree/m.bin"}, filesOf(t, r, "leftover")); diff != "" {
		t.Errorf("a leftover (-want +got):\n%s", diff)
	}
}

// closedIn is a tree in which one directory may not be read.
type closedIn struct {
	fs.FS
	dir string
}

func (u closedIn) Open(name string) (fs.File, error) {
	if name == u.dir || strings.HasPrefix(name, u.dir+"/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.FS.Open(name)
}

// A leftover of another user, which this one may not read, is left out as well.
func TestUnreadableLeftoverIsLeftOut(t *testing.T) {
	tree := fstest.MapFS{"a": {}, "b/.mindreg-abcdefgh/lock": {}, "b/c": {}}
	r, _ := inMemory(t)
	var report SaveReport
	mustSave(t, r, "x", closedIn{tree, "b/.mindreg-abcdefgh"}, WithReport(&report))
	if diff := cmp.Diff([]string{"a", "b/c"}, filesOf(t, r, "x")); diff != "" || len(report.LeftOut) != 1 {
		t.Errorf("left out %+v (-want +got):\n%s", report.LeftOut, diff)
	}
	if _, err := r.Save(t.Context(), "x", closedIn{tree, "b"}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("of a directory that is not a leftover: %v", err)
	}
}

// A registry is not saved into itself, whatever leads to it.
func TestRegistryIsNotSavedIntoItself(t *testing.T) {
	dir := t.TempDir()
	putFiles(t, dir, "link/to/", "outside/")
	at := filepath.Join(dir, "registry")
	r := inDirectory(t, at, Options{})
	for _, link := range []string{"alias", "link/to/it"} {
		if err := os.Symlink(at, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []any{Path(at), Path(at + "/."), Path(filepath.Join(dir, "alias")), os.DirFS(at)} {
		_, err := r.Save(t.Context(), "itself", v)
		if err == nil || !strings.Contains(err.Error(), "is the registry that it would be saved into") {
			t.Errorf("%v: %v", v, err)
		}
	}
	if has, err := r.Has(t.Context(), "itself"); has || err != nil {
		t.Errorf("it is there: %t, %v", has, err)
	}
	var report SaveReport
	mustSave(t, r, "links", Path(filepath.Join(dir, "link")), WithDereference(), WithReport(&report))
	if diff := cmp.Diff([]LeftOut{{"to/it", "this registry, or a copy of it"}}, report.LeftOut); diff != "" {
		t.Errorf("by way of a link (-want +got):\n%s", diff)
	}
	other := inDirectory(t, filepath.Join(dir, "other"), Options{})
	mustSave(t, other, "copy", Path(at)) // of one registry in another there is no end to fear
}

// A directory with settings of its own making, or something odd in their place,
// is data.
func TestWhatOnlyLooksLikeARegistryIsSaved(t *testing.T) {
	dir := t.TempDir()
	putFiles(t, dir, "a/registry.json", "b/registry.json/c", "c/CACHEDIR.TAG", "d/CACHEDIR.TAG/x")
	if err := os.Symlink("../a/registry.json", filepath.Join(dir, "c", "registry.json")); err != nil {
		t.Fatal(err)
	}
	want := []string{"a/registry.json", "b/registry.json/c", "c/CACHEDIR.TAG", "c/registry.json", "d/CACHEDIR.TAG/x"}
	r, _ := inMemory(t)
	for _, v := range []any{Path(dir), os.DirFS(dir)} {
		mustSave(t, r, "data", v)
		if diff := cmp.Diff(want, filesOf(t, r, "data")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if cachestore.IsCache(os.DirFS(filepath.Join(dir, "c"))) {
		t.Error("a foreign CACHEDIR.TAG makes a cache")
	}
}

// A tree of links into a common store, as model hubs keep it, is saved as what
// it leads to if that is asked for; if not, the error says how to ask.
func TestDereference(t *testing.T) {
	dir := t.TempDir()
	putFiles(t, dir, "blobs/1", "blobs/2", "shared/deep/x", "snapshot/onnx/", "snapshot/plain")
	if err := os.Chmod(filepath.Join(dir, "blobs", "2"), 0o777); err != nil {
		t.Fatal(err)
	}
	link := func(target, at string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := filepath.Join(dir, "snapshot")
	link("../blobs/1", "snapshot/config.json")
	link("../../blobs/2", "snapshot/onnx/model")
	link(filepath.Join(dir, "shared"), "snapshot/absolute")
	link("plain", "snapshot/inside")
	link("config.json", "snapshot/again")
	link("../shared", "shared/loop")
	r, _ := inMemory(t)
	if _, err := r.Save(t.Context(), "hf", Path(snapshot)); err == nil || !strings.Contains(err.Error(), "mindreg save -L") {
		t.Errorf("without: %v", err)
	}
	_, err := r.Save(t.Context(), "hf", Path(snapshot), WithDereference())
	if err == nil || !strings.Contains(err.Error(), filepath.Join("absolute", "loop")) || !strings.Contains(err.Error(), "would never end") {
		t.Errorf("of a loop: %v", err)
	}
	os.Remove(filepath.Join(dir, "shared", "loop"))
	mustSave(t, r, "hf", Path(snapshot), WithDereference())
	obj := must[*Object](t)(r.Object(t.Context(), "hf"))
	got := map[string]string{}
	for _, f := range obj.f.Content.Files {
		if !f.Regular() || f.Exec != (f.Path == "onnx/model") {
			t.Errorf("%+v", f)
		}
		got[f.Path] = string(must[[]byte](t)(fs.ReadFile(obj, f.Path)))
	}
	want := map[string]string{
		"absolute/deep/x": "shared/deep/x", "again": "blobs/1", "config.json": "blobs/1", "inside": "snapshot/plain",
		"onnx/model": "blobs/2", "plain": "snapshot/plain",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	link("nowhere", "snapshot/dangling")
	if _, err := r.Save(t.Context(), "hf", Path(snapshot), WithDereference()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "dangling") {
		t.Errorf("of a dangling link: %v", err)
	}
	os.Remove(filepath.Join(snapshot, "dangling"))
	link("/dev/null", "snapshot/null")
	if _, err := r.Save(t.Context(), "hf", Path(snapshot), WithDereference()); err == nil || !strings.Contains(err.Error(), "null: it leads to something that is not a regular file") {
		t.Errorf("of a link to a device: %v", err)
	}
	mustSave(t, r, "one", Path(filepath.Join(snapshot, "config.json")), WithDereference())
	for _, v := range []any{"text", fs.FS(fstest.MapFS{}), 5} {
		if _, err := r.Save(t.Context(), "x", v, WithDereference()); !errors.Is(err, ErrType) {
			t.Errorf("of %T: %v", v, err)
		}
	}
}

// A link that leads to a directory above it, by any way round, ends in an error;
// so do links that lead into one another for ever further.
func TestDereferenceEnds(t *testing.T) {
	r, _ := inMemory(t)
	for name, links := range map[string][][2]string{
		"itself":     {{".", "a/self"}},
		"above":      {{"..", "a/up"}},
		"each other": {{"../b", "a/b"}, {"../a", "b/a"}},
		"a cycle":    {{"me", "a/me"}},
	} {
		dir := t.TempDir()
		putFiles(t, dir, "a/", "b/")
		for _, l := range links {
			if err := os.Symlink(l[0], filepath.Join(dir, l[1])); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Save(t.Context(), "x", Path(dir), WithDereference()); err == nil {
			t.Errorf("%s: saved %v", name, filesOf(t, r, "x"))
		}
	}
	dir := t.TempDir()
	for i := range 50 {
		putFiles(t, dir, strings.Repeat("d", i+1)+"/")
		if err := os.Symlink("../"+strings.Repeat("d", i+2), filepath.Join(dir, strings.Repeat("d", i+1), "next")); err != nil {
			t.Fatal(err)
		}
	}
	putFiles(t, dir, strings.Repeat("d", 51)+"/end")
	if _, err := r.Save(t.Context(), "x", Path(filepath.Join(dir, "d")), WithDereference()); err == nil {
		t.Errorf("fifty links in one another: %v", err)
	}
	if _, err := r.Save(t.Context(), "x", Path(filepath.Join(dir, strings.Repeat("d", 40))), WithDereference()); err != nil {
		t.Errorf("eleven links in one another: %v", err)
	}
}
