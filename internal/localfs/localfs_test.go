package localfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// open makes a directory of files and opens it.
func open(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(body), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestRename(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		mode     Mode
		err      error
		after    map[string]string // of both directories; "" for a file that is not there
	}{
		"file, new":            {"file", "none", New, nil, map[string]string{"a/file": "", "b/none": "A"}},
		"file, taken":          {"file", "file", New, fs.ErrExist, map[string]string{"a/file": "A", "b/file": "B"}},
		"file for directory":   {"file", "dir", New, fs.ErrExist, map[string]string{"a/file": "A", "b/dir/x": "B"}},
		"directory, new":       {"dir", "none", New, nil, map[string]string{"a/dir/x": "", "b/none/x": "A"}},
		"directory, empty":     {"dir", "empty", New, fs.ErrExist, map[string]string{"a/dir/x": "A", "b/empty/x": ""}},
		"file, replaced":       {"file", "file", Replace, nil, map[string]string{"a/file": "", "b/file": "A"}},
		"files exchanged":      {"file", "file", Exchange, nil, map[string]string{"a/file": "B", "b/file": "A"}},
		"trees exchanged":      {"dir", "dir", Exchange, nil, map[string]string{"a/dir/x": "B", "b/dir/x": "A"}},
		"file and tree":        {"file", "dir", Exchange, nil, map[string]string{"a/file/x": "B", "b/dir": "A"}},
		"deep, and a new name": {"dir/x", "none", New, nil, map[string]string{"a/dir/x": "", "b/none": "A"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, map[string]string{"file": "A", "dir/x": "A"})
			b := open(t, map[string]string{"file": "B", "dir/x": "B"})
			if err := b.Mkdir("empty", 0o777); err != nil {
				t.Fatal(err)
			}
			err := Rename(a, filepath.FromSlash(c.from), b, c.to, c.mode)
			if errors.Is(err, errors.ErrUnsupported) && c.mode == Exchange {
				t.Skip(err)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
			for path, want := range c.after {
				root := map[byte]*os.Root{'a': a, 'b': b}[path[0]]
				got, err := root.ReadFile(path[2:])
				if string(got) != want || (err == nil) != (want != "") {
					t.Errorf("%s has %q, %v; want %q", path, got, err, want)
				}
			}
		})
	}
}

// What is renamed is what was held open, whatever has its path by now.
func TestRenameHoldsItsDirectories(t *testing.T) {
	a := open(t, map[string]string{"file": "A"})
	b := open(t, nil)
	for _, r := range []*os.Root{a, b} {
		if err := errors.Join(os.Rename(r.Name(), r.Name()+".moved"), os.Mkdir(r.Name(), 0o777), os.WriteFile(filepath.Join(r.Name(), "file"), []byte("other"), 0o666)); err != nil {
			t.Skip(err) // Windows does not rename what is open
		}
	}
	if err := Rename(a, "file", b, "new", Replace); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(b.Name()+".moved", "new")); string(got) != "A" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWithin(t *testing.T) {
	dir := open(t, map[string]string{"a/b/c": "", "x/y": ""}).Name()
	outer, err := os.Stat(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "a", "b"), filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	t.Chdir(filepath.Join(dir, "a", "b"))
	for inner, want := range map[string]bool{"a": true, "a/b": true, "link": true, "x": false, ".": false, "a/none": false} {
		if got := Within(filepath.Join(dir, inner), outer); got != want {
			t.Errorf("%s: %t", inner, got)
		}
	}
	if !Within(".", outer) {
		t.Error("the current directory is not found")
	}
}

func TestFree(t *testing.T) {
	if n, known := Free(t.TempDir()); known && n < 0 {
		t.Error(n)
	}
	if _, known := Free(filepath.Join(t.TempDir(), "none")); known {
		t.Error("known of a directory that is not there")
	}
}
