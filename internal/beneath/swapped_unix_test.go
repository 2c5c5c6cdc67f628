//go:build unix

package beneath

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	fi, err := os.Stat(path)
	mustDo(t, err)
	return fi
}

// opening opens path as Regular does. Between each look and the opening, swap
// acts in the place of somebody else.
func opening(path string, swap func(try int)) (*os.File, error) {
	try := 0
	return regular(path,
		func() (fs.FileInfo, error) { return os.Lstat(path) },
		func() (*os.File, error) {
			try++
			swap(try)
			return os.Open(path)
		})
}

// A link that comes to be where a file was found is not followed, however often
// that is tried.
func TestFileBecomesALink(t *testing.T) {
	dir := t.TempDir()
	file, secret, link := filepath.Join(dir, "f"), filepath.Join(dir, "secret"), filepath.Join(dir, "link")
	mustDo(t, os.WriteFile(secret, []byte("secret"), 0o600))
	found := 0
	f, err := regular(file,
		func() (fs.FileInfo, error) {
			found++
			os.Remove(file)
			mustDo(t, os.WriteFile(file, []byte("right"), 0o600))
			return os.Lstat(file)
		},
		func() (*os.File, error) {
			mustDo(t, os.Symlink("secret", link), os.Rename(link, file))
			return os.Open(file)
		})
	if !errors.Is(err, ErrReplaced) || f != nil || found != tries {
		t.Errorf("%v, after %d looks", err, found)
	}
}

// A file that others replace by renaming new ones to its name is opened as soon
// as they rest.
func TestFileIsReplacedByRenaming(t *testing.T) {
	dir := t.TempDir()
	file, next := filepath.Join(dir, "f"), filepath.Join(dir, "next")
	mustDo(t, os.WriteFile(file, []byte("old"), 0o600))
	f, err := opening(file, func(try int) {
		if try < tries {
			mustDo(t, os.WriteFile(next, []byte("new"), 0o600), os.Rename(next, file))
		}
	})
	mustDo(t, err)
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
}

// Another directory that comes to be where one was found is not entered.
func TestDirectoryIsReplaced(t *testing.T) {
	found, now := t.TempDir(), t.TempDir()
	root, err := os.OpenRoot(now)
	mustDo(t, err)
	if d, err := newDir(root, found, stat(t, found), nil); !errors.Is(err, ErrReplaced) || d != nil {
		t.Error(err)
	}
}

// What was done to a file shows, as far as the system tells.
func TestCompare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write := func(text string, at time.Time) {
		t.Helper()
		mustDo(t, os.WriteFile(file, []byte(text), 0o600), os.Chtimes(file, at, at))
	}
	at := time.Now().Add(-time.Hour)
	for what, c := range map[string]struct {
		do   func()
		want Change
	}{
		"nothing":                            {func() {}, Same},
		"another mode":                       {func() { mustDo(t, os.Chmod(file, 0o644)) }, Touched},
		"another time":                       {func() { write("text", at.Add(time.Minute)) }, Written},
		"another size, at the time before":   {func() { write("longer", at) }, Written},
		"other bytes, at the time before":    {func() { write("TEXT", at) }, Touched},
		"the same bytes, at the time before": {func() { write("text", at) }, Touched},
	} {
		write("text", at)
		before := stat(t, file)
		time.Sleep(10 * time.Millisecond) // a tick of the clock that file systems stamp with
		c.do()
		if got := Compare(before, stat(t, file)); got != c.want {
			t.Errorf("%s: %d, want %d", what, got, c.want)
		}
	}
}
