package localfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Mine, Private, SameOwner and MayFollow: what is beside a destination is under
// the access control lists that the directory hands down, and not looked at.
func Mine(fs.FileInfo) bool                   { return true }
func Private(fi fs.FileInfo) bool             { return fi.IsDir() }
func SameOwner(fs.FileInfo, fs.FileInfo) bool { return true }
func MayFollow(fs.FileInfo, fs.FileInfo) bool { return true }

// Allocated returns the size of a file.
func Allocated(fi fs.FileInfo) int64 { return fi.Size() }

// Fixed: nothing is known before it is tried.
func Fixed(string, fs.FileInfo, fs.FileInfo) error { return nil }

// Place is a file or directory by its name in a directory that is held open.
type Place struct {
	Root *os.Root
	Name string
}

// KeepAs: permissions are those that the directory hands down.
func KeepAs(Place, Place, fs.FileMode) error { return nil }

// Free returns how many bytes this user may still write to the file system of
// dir, and false if it does not say.
func Free(dir string) (int64, bool) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil || free > 1<<62 {
		return 0, false
	}
	return int64(free), true
}

func rename(old *os.Root, from string, new *os.Root, to string, mode Mode) error {
	if mode != Replace {
		return errors.ErrUnsupported
	}
	return os.Rename(filepath.Join(old.Name(), from), filepath.Join(new.Name(), to))
}

// MountIn returns a mount point below a directory, or "": here nothing is known.
func MountIn(string) string { return "" }
