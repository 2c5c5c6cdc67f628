//go:build unix

package localfs

import (
	"os"
	"path/filepath"
	"testing"
)

// A directory is private if nobody else may do anything with it, and a file is
// this user's alone if it has no other name.
func TestPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o700: true, 0o500: true, 0o750: false, 0o740: false, 0o710: false, 0o705: false, 0o702: false, 0o701: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Lstat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := Private(fi); got != want {
			t.Errorf("%v: %t", mode, got)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	for _, want := range []bool{true, false} {
		if !want {
			if err := os.Link(file, file+"2"); err != nil {
				t.Skip(err)
			}
		} else if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Lstat(file)
		if err != nil {
			t.Fatal(err)
		}
		if Mine(fi) != want || Private(fi) {
			t.Errorf("mine: %t, private: %t; want mine: %t", Mine(fi), Private(fi), want)
		}
	}
}

// A file that everybody may write to is not trusted; one that a group may write
// to is. Of a link, the permissions mean nothing.
func TestDistrust(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", file+".link"); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o664: true, 0o606: false, 0o602: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{file: want, file + ".link": true} {
			fi, err := os.Lstat(name)
			if err != nil {
				t.Fatal(err)
			}
			if why := Distrust(fi); (why == "") != want || Stranger(fi) != "" {
				t.Errorf("%v: %q, %q", fi.Mode(), why, Stranger(fi))
			}
		}
	}
}
