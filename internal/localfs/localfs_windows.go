package localfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// The owner of a file is not looked at on Windows: access control lists, which
// files get from their directory, say who may do what.

// Mine is true.
func Mine(fs.FileInfo) bool { return true }

// Private reports whether fi is a directory.
func Private(fi fs.FileInfo) bool { return fi.IsDir() }

// SameOwner is true.
func SameOwner(fs.FileInfo, fs.FileInfo) bool { return true }

// Stranger is "".
func Stranger(fs.FileInfo) string { return "" }

// Distrust is "".
func Distrust(fs.FileInfo) string { return "" }

// MayFollow is true: making a symbolic link takes a privilege.
func MayFollow(fs.FileInfo, fs.FileInfo) bool { return true }

// Allocated returns the size of a file.
func Allocated(fi fs.FileInfo) int64 { return fi.Size() }

// Fixed is nil: nothing is known before it is tried.
func Fixed(string, fs.FileInfo, fs.FileInfo) error { return nil }

// Place is the name of a file or directory in a directory that is held open.
type Place struct {
	Root *os.Root
	Name string
}

// KeepAs does nothing: files get their permissions from their directory.
func KeepAs(Place, Place, fs.FileMode) error { return nil }

// Free returns how many bytes this user can still write to the file system of dir.
// known is false if the file system does not say.
func Free(dir string) (bytes int64, known bool) {
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

// MountIn is "": mount points are not known here.
func MountIn(string) string { return "" }
