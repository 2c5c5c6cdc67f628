//go:build unix

package beneath_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/internal/beneath"
)

// While somebody puts links and pipes in the place of a file and of a directory
// as fast as he can, what is opened is the file, in the directory, or nothing.
func TestSwappedInALoop(t *testing.T) {
	base := t.TempDir()
	p := func(parts ...string) string { return filepath.Join(append([]string{base}, parts...)...) }
	mustDo := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"tree", "secret", "tree/sub", "tree/inner"} {
		mustDo(os.Mkdir(p(dir), 0o700))
	}
	for _, f := range []string{"tree/sub/f", "tree/f"} {
		mustDo(os.WriteFile(p(f), []byte("right"), 0o600))
	}
	for _, f := range []string{"secret/f", "tree/inner/f"} {
		mustDo(os.WriteFile(p(f), []byte("wrong"), 0o600))
	}
	mustDo(os.Symlink("../secret", p("tree/out-dir")))
	mustDo(os.Symlink("inner", p("tree/in-dir")))
	mustDo(os.Symlink("../secret/f", p("tree/out")))
	mustDo(os.Symlink("inner/f", p("tree/in")))
	mustDo(unix.Mkfifo(p("tree/pipe"), 0o600))
	mustDo(unix.Mkfifo(p("tree/other-pipe"), 0o600))

	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swap := func(name string, with ...string) {
		swapping.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				other := p("tree", with[i%len(with)])
				for range 2 { // there and back
					if err := exchange(p("tree", name), other); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	swap("f", "out", "in", "pipe")
	swap("sub", "out-dir", "in-dir", "other-pipe")

	tree, err := beneath.OpenDir(p("tree"))
	mustDo(err)
	defer tree.Close()
	read := func(f fs.File, err error) bool {
		if err != nil {
			return false
		}
		defer f.Close()
		if b, err := io.ReadAll(f); err != nil || string(b) != "right" {
			t.Errorf("%q, %v", b, err)
		}
		return true
	}
	var opened, refused int
	note := func(ok bool) {
		if ok {
			opened++
		} else {
			refused++
		}
	}
	for range 3000 {
		note(read(tree.Open("f")))
		sub, err := tree.Sub("sub")
		note(err == nil)
		if err == nil {
			if !read(sub.Open("f")) {
				t.Error("the file in the directory cannot be opened")
			}
			sub.Close()
		}
	}
	close(stop)
	swapping.Wait()
	if opened == 0 || refused == 0 {
		t.Errorf("%d opened, %d refused: the race was not hit", opened, refused)
	}
}

// Nothing waits for a named pipe where there should be a directory.
func TestPipeInPlaceOfADirectory(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for what, open := range map[string]func() error{
		"OpenRoot":   func() error { _, err := beneath.OpenRoot(pipe); return err },
		"OpenRootIn": func() error { _, err := beneath.OpenRootIn(root, "pipe"); return err },
		"ReadDirIn":  func() error { _, err := beneath.ReadDirIn(root, "pipe"); return err },
		"OpenDir":    func() error { _, err := beneath.OpenDir(pipe); return err },
	} {
		if err := open(); err == nil {
			t.Errorf("%s: no error", what)
		} else if pe := (*fs.PathError)(nil); !errors.As(err, &pe) || filepath.Base(pe.Path) != "pipe" {
			t.Errorf("%s: %v does not name what was to be opened", what, err)
		}
	}
}

// A path that the user names may be a link. If it was a file, it stays one.
func TestRegular(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.WriteFile("f", []byte("x"), 0o600), os.Symlink("f", "link"), os.Symlink(".", "dir"),
		os.Symlink("nothing", "dangling"), unix.Mkfifo("pipe", 0o600), os.Symlink("pipe", "to-pipe")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		"f": nil, "link": nil, "dir/f": nil, "dir": beneath.ErrReplaced, ".": beneath.ErrReplaced,
		"pipe": beneath.ErrReplaced, "to-pipe": beneath.ErrReplaced, "dangling": fs.ErrNotExist, "missing": fs.ErrNotExist,
	} {
		f, err := beneath.Regular(path)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if err == nil {
			f.Close()
		}
	}
}
