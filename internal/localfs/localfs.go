// Package localfs has what writing to a local disk needs from the operating system
// beyond package os. Packages tree (loads to the disk) and cachestore (the cache)
// call it. The systems differ, so most functions have a version for each.
//
//   - Who owns a file, and who can change it: [Mine], [Private], [SameOwner],
//     [Stranger], [Distrust], [MayFollow]. The file owner_unix.go says which
//     rule holds where.
//   - What keeps a file from being replaced: [Fixed], [MountIn], [Within].
//   - Renames between two directories that are held open, so that nobody can put
//     another directory in their place: [Rename]. What the new file takes over
//     from the old one: [KeepAs].
//   - How much room there is: [Free], [Allocated].
package localfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Mode says what Rename does if the new name exists.
type Mode int

// Modes of Rename.
const (
	Replace  Mode = iota // replaces it, if the system does that
	New                  // returns an error that is fs.ErrExist
	Exchange             // exchanges the two, in one step
)

// Rename renames the entry from of the directory old to the name to in the
// directory new. If the system or the file system has no Exchange, the error is
// errors.ErrUnsupported. If it has no New, Rename looks first whether the name
// exists: then a file that another process makes in between is replaced.
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

// Within reports whether the directory inner is outer, or is inside it, after
// symbolic links are followed.
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
