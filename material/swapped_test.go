//go:build unix

package material_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/material"
)

// What somebody puts in the place of a file or directory after it was listed is
// not saved, nor waited for, nor what it leads to: the save fails, and names it.
func TestSwappedAfterListing(t *testing.T) {
	put := map[string]func(outside, at string) error{
		"link out of the tree": func(outside, at string) error { return os.Symlink(outside, at) },
		"link in the tree":     func(_, at string) error { return os.Symlink("other", at) },
		"link to nothing":      func(_, at string) error { return os.Symlink("nothing", at) },
		"named pipe":           func(_, at string) error { return unix.Mkfifo(at, 0o600) },
		"socket": func(_, at string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
			if err == nil {
				l.SetUnlinkOnClose(false)
				l.Close()
			}
			return err
		},
		"device": func(_, at string) error {
			err := unix.Mknod(at, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
			if errors.Is(err, fs.ErrPermission) {
				return nil // then it is gone, which is an error as well
			}
			return err
		},
		"file":      func(_, at string) error { return os.WriteFile(at, []byte("secret"), 0o600) },
		"directory": func(_, at string) error { return os.Mkdir(at, 0o700) },
	}
	for what, put := range put {
		for kind, victim := range map[string]string{"file": "b", "directory": "d", "link": "l"} {
			if what == kind || kind == "link" && strings.HasPrefix(what, "link") {
				continue
			}
			t.Run(what+" for "+kind, func(t *testing.T) {
				base, err := os.MkdirTemp("", "swap") // short enough for a socket
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(base) })
				dir, outside := filepath.Join(base, "tree"), filepath.Join(base, "outside")
				write(t, 0o600, outside, "c")
				if kind == "file" {
					outside = write(t, 0o600, outside, "secret")
				}
				write(t, 0o600, dir, "sub", "a")
				write(t, 0o600, dir, "sub", "b")
				write(t, 0o600, dir, "sub", "d", "c")
				write(t, 0o600, dir, "sub", "other")
				link(t, "other", dir, "sub", "l")
				at := filepath.Join(dir, "sub", victim)
				var stored []string
				s := &hookSink{hook: func(name string) error {
					stored = append(stored, name)
					if name != "sub/a" {
						return nil
					}
					if err := os.RemoveAll(at); err != nil {
						return err
					}
					return put(outside, at)
				}}
				err = material.Dir{}.Save(t.Context(), s, material.Path(dir))
				if err == nil || !strings.Contains(err.Error(), at) {
					t.Errorf("error %v, want one that names %s", err, at)
				}
				for _, name := range stored {
					if name == "sub/"+victim || strings.HasPrefix(name, "sub/"+victim+"/") {
						t.Errorf("%s was saved", name)
					}
				}
			})
		}
	}
}

// A directory that is being saved stays the same one, whatever becomes of its
// path meanwhile.
func TestDirectoryInUseIsSwapped(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "tree")
	for _, p := range []string{"top/sub/a", "top/sub/b", "top/z"} {
		write(t, 0o600, dir, p)
		write(t, 0o600, base, "outside", "other "+p)
	}
	s := &hookSink{hook: func(name string) error {
		if name != "top/sub/a" {
			return nil
		}
		for _, p := range []string{"top/sub", "top"} {
			if err := os.Rename(filepath.Join(dir, p), filepath.Join(base, "was "+filepath.Base(p))); err != nil {
				return err
			}
		}
		return os.Symlink("../outside", filepath.Join(dir, "top"))
	}}
	if err := (material.Dir{}).Save(t.Context(), s, material.Path(dir)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".": "directory", "top": "directory", "top/sub": "directory",
		"top/sub/a": "file: contents of a", "top/sub/b": "file: contents of b", "top/z": "file: contents of z",
	}
	if diff := cmp.Diff(want, must(describe(s.FS()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A file that others replace by renaming new ones to its name, as is right, is
// saved as one of them.
func TestReplacedByRename(t *testing.T) {
	dir := t.TempDir()
	write(t, 0o600, dir, "a")
	write(t, 0o600, dir, "b")
	n := 0
	replace := func() error {
		n++
		next := filepath.Join(dir, "..", fmt.Sprint("next", n))
		if err := os.WriteFile(next, []byte(fmt.Sprint("state ", n)), 0o600); err != nil {
			return err
		}
		return os.Rename(next, filepath.Join(dir, "b"))
	}
	s := &hookSink{hook: func(string) error { return replace() }}
	if err := (material.Dir{}).Save(t.Context(), s, material.Path(dir)); err != nil {
		t.Fatal(err)
	}
	if got := must(describe(s.FS())); got["b"] != "file: state 1" {
		t.Errorf("%v", got)
	}
}

// A file is written to in place while it is saved, and its modification time
// set back: only its change time tells.
func TestTornFileWithItsTimeSetBack(t *testing.T) {
	if _, ok := beneath.ChangeTime(must(os.Stat("."))); !ok {
		t.Skip("no change time here")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	ticks := write(t, 0o600, dir, "..", "ticks")
	body := make([]byte, 1<<20)
	at := time.Unix(1e9, 0)
	for name, test := range map[string]struct {
		meanwhile func() error
		torn      bool
	}{
		"same size": {func() error {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			for _, off := range []int64{0, 1<<20 - 5} {
				if _, err := f.WriteAt([]byte("other"), off); err != nil {
					return err
				}
			}
			return os.Chtimes(file, at, at)
		}, true},
		"replaced by one with its time": {func() error {
			if err := os.WriteFile(file+".new", make([]byte, 1<<20), 0o600); err != nil {
				return err
			}
			if err := os.Chtimes(file+".new", at, at); err != nil {
				return err
			}
			return os.Rename(file+".new", file)
		}, false},
		"another mode": {func() error { return os.Chmod(file, 0o640) }, false},
		"another name": {func() error { return os.Link(file, filepath.Join(dir, "..", "link")) }, false},
		"removed":      {func() error { return os.Remove(file) }, false},
		"only read":    {func() error { _, err := os.ReadFile(file); return err }, false},
	} {
		for how, v := range map[string]any{"file": material.Path(file), "tree": material.Path(dir), "fs": fs.FS(os.DirFS(dir))} {
			os.Remove(filepath.Join(dir, "..", "link"))
			if err := os.WriteFile(file, body, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
			before, _ := beneath.ChangeTime(must(os.Stat(file)))
			for now := before; now.Equal(before); now, _ = beneath.ChangeTime(must(os.Stat(ticks))) { // until the file system's clock ticks
				if err := os.Chtimes(ticks, at, at); err != nil {
					t.Fatal(err)
				}
			}
			s := &midwaySink{meanwhile: test.meanwhile}
			m := must(new(material.Set).For(v))
			if err := m.Save(t.Context(), s, v); (err != nil) != test.torn || err != nil && !strings.Contains(err.Error(), "f: another process wrote to it") {
				t.Errorf("%s of a %s: error %v, want one: %t", name, how, err, test.torn)
			}
		}
	}
}

// midwaySink does something once, when it has taken the first bytes.
type midwaySink struct {
	hookSink
	meanwhile func() error
	done      bool
}

func (s *midwaySink) Create(name string) (io.WriteCloser, error) {
	w, err := s.Sink.Create(name)
	return &midwayWriter{w, s}, err
}

type midwayWriter struct {
	io.WriteCloser
	s *midwaySink
}

func (w *midwayWriter) Write(p []byte) (int, error) {
	n, err := w.WriteCloser.Write(p)
	if !w.s.done && err == nil {
		w.s.done = true
		err = w.s.meanwhile()
	}
	return n, err
}

// A file of an fs.FS that has become a link meanwhile is not saved, though that
// fs.FS would follow it.
func TestFileOfAnFSBecomesALink(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "tree")
	write(t, 0o600, dir, "a")
	write(t, 0o600, dir, "b")
	write(t, 0o600, base, "secret")
	s := &hookSink{hook: func(name string) error {
		if name != "a" {
			return nil
		}
		return errors.Join(os.Remove(filepath.Join(dir, "b")), os.Symlink("../secret", filepath.Join(dir, "b")))
	}}
	if err := (material.Dir{}).Save(t.Context(), s, os.DirFS(dir)); !errors.Is(err, beneath.ErrReplaced) {
		t.Errorf("got %v", err)
	}
}

// A link to a directory that it is in is refused where links are followed.
func TestLinkToADirectoryAbove(t *testing.T) {
	dir := t.TempDir()
	write(t, 0o600, dir, "d/a")
	if err := os.Symlink("..", filepath.Join(dir, "d", "up")); err != nil {
		t.Fatal(err)
	}
	s := &hookSink{hook: func(string) error { return nil }}
	err := material.Dir{Dereference: true}.Save(t.Context(), s, material.Path(dir))
	if err == nil || !strings.Contains(err.Error(), "would never end") {
		t.Errorf("got %v", err)
	}
}
