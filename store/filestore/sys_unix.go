//go:build linux || darwin

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

func openShared(path string) (*os.File, error) { return os.Open(path) }

func stat(path string) (fs.FileInfo, time.Time, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	changed, err := changeTime(nil, fi)
	return fi, changed, err
}

// publish gives the temporary file f the name path, which must be free.
func publish(f *os.File, path string) error {
	err := os.Link(f.Name(), path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		// A network file system may have sent the request twice and told us
		// the second answer: then the file has two names.
		if fi, serr := f.Stat(); serr == nil && fi.Sys().(*syscall.Stat_t).Nlink > 1 {
			return nil
		}
		return err
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
		// No hard links here (FAT, some FUSE and SMB mounts).
		return renameExclusive(f.Name(), path)
	}
	return err
}

// replaceFile gives the temporary file f the name path.
func replaceFile(f *os.File, path string) error {
	err := os.Rename(f.Name(), path)
	if errors.Is(err, fs.ErrNotExist) { // sent twice, as in publish
		mine, err1 := f.Stat()
		there, err2 := os.Lstat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return nil
		}
	}
	return err
}

func removeFile(path string) error { return os.Remove(path) }

// syncDir flushes the names in a directory. Some file systems (CIFS, FUSE)
// have no such operation and keep names by other means.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
