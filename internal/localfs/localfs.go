// Package localfs is what loading to a local disk needs of the operating system
// beside package os: whose a file is, what keeps it from being replaced, how
// much room there is, and renames between two directories that are held open,
// so that nobody can put others in their places meanwhile.
package localfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Mode is what Rename does about a name that is taken.
type Mode int

// Modes of Rename.
const (
	Replace  Mode = iota // what has the name goes, if the system replaces it
	New                  // an error that is fs.ErrExist
	Exchange             // the two change places, in one step
)

// Rename gives the entry from of the directory old the name to in the
// directory new. Where the system or the file system has no Exchange, the error is
// errors.ErrUnsupported; where it has no New, a file is linked, and a directory
// looked for before.
func Rename(old *os.Root, from string, new *os.Root, to string, mode Mode) error {
	err := rename(old, from, new, to, mode)
	if mode != New || !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if _, err := new.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return rename(old, from, new, to, Replace)
}

// Within reports whether the directory inner is outer or lies in it, links
// followed.
func Within(inner string, outer fs.FileInfo) bool {
	at, err := filepath.EvalSymlinks(inner)
	if err == nil {
		at, err = filepath.Abs(at)
	}
	if err != nil {
		return false
	}
	for {
		if fi, err := os.Stat(at); err == nil && os.SameFile(fi, outer) {
			return true
		}
		up := filepath.Dir(at)
		if up == at {
			return false
		}
		at = up
	}
}
