package material_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

// write makes a file, and the directories that it is in.
func write(t *testing.T, mode fs.FileMode, parts ...string) string {
	t.Helper()
	p := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte("contents of "+filepath.Base(p)), mode); err != nil {
		t.Fatal(err)
	}
	return p
}

func link(t *testing.T, target string, parts ...string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(parts...)); err != nil {
		t.Skip(err)
	}
}

func TestDirKeepsWhatTreesAreMadeOf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no executable bit there")
	}
	dir := t.TempDir()
	write(t, 0o644, dir, "a.txt")
	write(t, 0o755, dir, "bin", "run")
	write(t, 0o600, dir, "sub", "private")
	write(t, 0o654, dir, "sub", "group may run")
	if err := os.MkdirAll(filepath.Join(dir, "empty", "er"), 0o700); err != nil {
		t.Fatal(err)
	}
	link(t, "a.txt", dir, "inside")
	link(t, "../a.txt", dir, "bin", "up")
	link(t, "sub", dir, "to-dir")
	link(t, "nowhere", dir, "dangling")
	got, err := describe(saved(t, material.Dir{}, material.Path(dir)))
	want := map[string]string{
		".": "directory", "bin": "directory", "sub": "directory", "empty": "directory", "empty/er": "directory",
		"a.txt": "file: contents of a.txt", "bin/run": "executable file: contents of run",
		"sub/private": "file: contents of private", "sub/group may run": "file: contents of group may run",
		"inside": "link to a.txt", "bin/up": "link to ../a.txt", "to-dir": "link to sub", "dangling": "link to nowhere",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestDirOfALinkIsWhatItLeadsTo(t *testing.T) {
	dir := t.TempDir()
	write(t, 0o644, dir, "tree", "a")
	link(t, "tree", dir, "alias")
	got, err := describe(saved(t, material.Dir{}, material.Path(filepath.Join(dir, "alias"))))
	if diff := cmp.Diff(map[string]string{".": "directory", "a": "file: contents of a"}, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestDirKeepsStrangeNames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such names there")
	}
	dir := t.TempDir()
	want := map[string]string{".": "directory"}
	for _, name := range []string{
		" ", " leading and trailing ", "new\nline", `back\slash`, "tab\t", "日本語", "é e\u0301", "-rf", "...", "a:b", "*?[", `"quoted"`, "\x01", ".hidden", "CON",
	} {
		write(t, 0o644, dir, name)
		want[name] = "file: contents of " + name
		if diff := cmp.Diff(map[string]string{".": "directory", name: want[name]},
			must(describe(saved(t, material.File{}, material.Path(filepath.Join(dir, name)))))); diff != "" {
			t.Errorf("%q as a file (-want +got):\n%s", name, diff)
		}
	}
	got, err := describe(saved(t, material.Dir{}, material.Path(dir)))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What a tree cannot keep is an error that names the path, as the user would
// write it.
func TestDirRefuses(t *testing.T) {
	for what, test := range map[string]struct {
		make func(t *testing.T, dir string) (path string)
		says string
	}{
		"absolute link": {func(t *testing.T, dir string) string {
			link(t, filepath.Join(dir, "x"), dir, "sub", "l")
			return "sub/l"
		}, "leads out"},
		"link out": {func(t *testing.T, dir string) string {
			link(t, "../../x", dir, "sub", "l")
			return "sub/l"
		}, "leads out"},
		"socket": {func(t *testing.T, dir string) string {
			p := filepath.Join(dir, "sub", "s")
			l, err := net.Listen("unix", p)
			if err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { l.Close() })
			return p
		}, "it is not a regular file, directory or symbolic link (S"},
		"named pipe": {makeFIFO, "it is not a regular file, directory or symbolic link (p"},
		"name not UTF-8": {func(t *testing.T, dir string) string {
			if runtime.GOOS != "linux" {
				t.Skip("no such names there")
			}
			write(t, 0o644, dir, "sub", "a\xff")
			return filepath.Join(dir, "sub", "a\xff")
		}, "its name is not valid UTF-8"},
		"directory name not UTF-8": {func(t *testing.T, dir string) string {
			if runtime.GOOS != "linux" {
				t.Skip("no such names there")
			}
			write(t, 0o644, dir, "d\xff", "a")
			return filepath.Join(dir, "d\xff")
		}, "its name is not valid UTF-8"},
		"unreadable file": {func(t *testing.T, dir string) string {
			p := write(t, 0, dir, "sub", "secret")
			if f, err := os.Open(p); err == nil {
				f.Close()
				t.Skip("this user may read everything")
			}
			return p
		}, "permission denied"},
	} {
		t.Run(what, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "dir") // short enough for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			write(t, 0o644, dir, "sub", "a")
			p := test.make(t, dir)
			err = material.Dir{}.Save(t.Context(), new(materialtest.Sink), material.Path(dir))
			if err == nil || !strings.Contains(err.Error(), p) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one with %q and %q", err, p, test.says)
			}
		})
	}
}

func TestDirOfAnFSRefuses(t *testing.T) {
	for what, test := range map[string]struct {
		src  fs.FS
		says []string
	}{
		"device":       {fstest.MapFS{"sub/d": {Mode: fs.ModeDevice}}, []string{"sub/d", "not a regular file"}},
		"link out":     {fstest.MapFS{"sub/l": {Mode: fs.ModeSymlink, Data: []byte("/etc")}}, []string{"sub/l", "leads out"}},
		"no ReadLink":  {onlyOpen{fstest.MapFS{"l": {Mode: fs.ModeSymlink, Data: []byte("a")}}}, []string{"l"}},
		"fails":        {failingFS{fstest.MapFS{"sub/a": {}}, "sub/a"}, []string{"open sub/a", "broken"}},
		"fails in dir": {failingFS{fstest.MapFS{"sub/a": {}}, "sub"}, []string{"open sub", "broken"}},
	} {
		err := material.Dir{}.Save(t.Context(), new(materialtest.Sink), test.src)
		if err == nil {
			t.Errorf("%s: saved", what)
			continue
		}
		for _, s := range test.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: error %q, want %q in it", what, err, s)
			}
		}
	}
}

// onlyOpen hides every other method.
type onlyOpen struct{ fsys fs.FS }

func (o onlyOpen) Open(name string) (fs.File, error) { return o.fsys.Open(name) }

// failingFS fails to open one path.
type failingFS struct {
	fs.FS
	path string
}

func (f failingFS) Open(name string) (fs.File, error) {
	if name == f.path {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errBroken}
	}
	return f.FS.Open(name)
}

// hookSink calls a function before a stream is created.
type hookSink struct {
	materialtest.Sink
	hook func(name string) error
}

func (s *hookSink) Create(name string) (io.WriteCloser, error) {
	if err := s.hook(name); err != nil {
		return nil, err
	}
	return s.Sink.Create(name)
}

func TestDirThatVanishesMidway(t *testing.T) {
	t.Chdir(t.TempDir())
	for what, gone := range map[string]string{"next file": "tree/c", "next directory": "tree/d", "all": "tree"} {
		for _, p := range []string{"tree/a/b", "tree/c", "tree/d/e"} {
			write(t, 0o644, p)
		}
		s := &hookSink{hook: func(name string) error {
			if name == "a/b" {
				return os.RemoveAll(gone)
			}
			return nil
		}}
		err := material.Dir{}.Save(t.Context(), s, material.Path("./tree"))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(fmt.Sprint(err), filepath.FromSlash("open tree/")) {
			t.Errorf("%s vanishes: %v, want that tree/... does not exist", what, err)
		}
	}
}

// A path in an error of the sink is none of the tree, and stays as it is.
func TestDirLeavesErrorsOfTheSinkAlone(t *testing.T) {
	dir := t.TempDir()
	write(t, 0o644, dir, "a")
	broken := &fs.PathError{Op: "write", Path: "registry/packs/1", Err: errBroken}
	s := &hookSink{hook: func(string) error { return broken }}
	if err := (material.Dir{}).Save(t.Context(), s, material.Path(dir)); err != error(broken) || broken.Path != "registry/packs/1" {
		t.Errorf("the sink's error became %v", err)
	}
}

func TestDirStopsWithTheContext(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 100 {
		tree[fmt.Sprintf("%02d/a", i)] = &fstest.MapFile{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	created := 0
	s := &hookSink{hook: func(string) error {
		if created++; created == 3 {
			cancel() // of which this sink takes no notice
		}
		return nil
	}}
	if err := (material.Dir{}).Save(ctx, s, tree); err != context.Canceled || created != 3 {
		t.Errorf("error %v after %d files, want the bare context.Canceled after 3", err, created)
	}
}

func TestDirOfWhatIsNoDirectory(t *testing.T) {
	dir := t.TempDir()
	file := write(t, 0o644, dir, "f")
	if err := (material.Dir{}).Save(t.Context(), new(materialtest.Sink), material.Path(file)); !errors.Is(err, material.ErrType) {
		t.Errorf("a file: %v", err)
	}
	missing := filepath.Join(dir, "missing")
	for _, m := range []material.Materializer{material.Dir{}, material.File{}} {
		err := m.Save(t.Context(), new(materialtest.Sink), material.Path(missing))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s of a missing path: %v", m.Name(), err)
		}
		if err := m.Save(t.Context(), new(materialtest.Sink), material.Path("")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of an empty path: %v", m.Name(), err)
		}
	}
}

// A sink that is no TreeSink gets the files; what it cannot hold is an error.
func TestDirIntoASinkOfFiles(t *testing.T) {
	s := &filesOnly{}
	if err := (material.Dir{}).Save(t.Context(), s, fstest.MapFS{"a": {Data: []byte("x"), Mode: 0o755}}); err != nil {
		t.Fatal(err)
	}
	if got := must(describe(s.sink.FS())); got["a"] != "file: x" {
		t.Errorf("%v", got)
	}
	err := material.Dir{}.Save(t.Context(), &filesOnly{}, fstest.MapFS{"sub/l": {Mode: fs.ModeSymlink, Data: []byte("a")}})
	if err == nil || !strings.Contains(err.Error(), "sub/l") || !strings.Contains(err.Error(), "symbolic links") {
		t.Errorf("a link: %v", err)
	}
}

type filesOnly struct{ sink materialtest.Sink }

func (s *filesOnly) Create(name string) (io.WriteCloser, error) { return s.sink.Create(name) }

func TestFileKeepsTheExecutableBit(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no executable bit there")
	}
	dir := t.TempDir()
	for name, want := range map[string]string{"run": "executable file: contents of run", "text": "file: contents of text"} {
		mode := fs.FileMode(0o644)
		if name == "run" {
			mode = 0o744
		}
		p := write(t, mode, dir, name)
		if got := must(describe(saved(t, material.File{}, material.Path(p)))); got[name] != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

// The file that a link leads to is saved under the name that was given.
func TestFileFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, 0o644, dir, "v2.bin")
	link(t, "v2.bin", dir, "current.bin")
	got := must(describe(saved(t, material.File{}, material.Path(filepath.Join(dir, "current.bin")))))
	if diff := cmp.Diff(map[string]string{".": "directory", "current.bin": "file: contents of v2.bin"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadOfATree(t *testing.T) {
	tree := fstest.MapFS{"a": {Data: []byte("1")}, "b": {Data: []byte("2")}}
	var fsys fs.FS
	if err := (material.Dir{}).Load(t.Context(), tree, &fsys); err != nil {
		t.Fatal(err)
	}
	if diff := diffTrees(tree, fsys); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	var b []byte
	for _, m := range []material.Materializer{material.Bytes{}, material.Text{}, material.File{}, material.Dir{}} {
		if err := m.Load(t.Context(), tree, &b); !errors.Is(err, material.ErrType) || b != nil {
			t.Errorf("%s: a tree as a []byte is %q, error %v", m.Name(), b, err)
		}
	}
}
