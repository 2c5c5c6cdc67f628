//go:build linux || darwin

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/mindtrace/registry/store"
)

// holdDir opens a directory to be flushed, by its path: one above the root.
func holdDir(path string) (*os.File, error) {
	fd, err := again(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// errNotEmpty is why a directory cannot be removed. It may be EEXIST as well.
var errNotEmpty error = syscall.ENOTEMPTY

// flushDir flushes the names in a directory. Some file systems (CIFS, FUSE)
// have no such operation and keep names by other means.
func flushDir(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

// namedAt returns the status of the file f, which has just got its name.
func namedAt(f *os.File, _ *folder, _ string) (status, error) { return statusOfFile(f) }

// isStale reports whether opening the file again will help. NFS says ESTALE
// where another machine has replaced the open file.
func isStale(err error) bool { return errors.Is(err, errStale) || errors.Is(err, syscall.ESTALE) }

// outcome tells what became of a change of names that failed with err. A
// network file system may have sent the request twice and told us the second
// answer (attack A45): then name is f already. The number of its names is no
// proof of that, others may link it elsewhere.
func outcome(err error, d *folder, f *os.File, name string) error {
	if err == nil {
		return nil
	}
	if f != nil {
		mine, err1 := statusOfFile(f)
		there, err2 := d.status(name)
		if err1 == nil && err2 == nil && mine.same(there) {
			return nil
		}
	}
	for _, definite := range refusals {
		if errors.Is(err, definite) {
			return err
		}
	}
	// EIO, ETIMEDOUT, ESTALE, ...: the server may have done it, or still do.
	return fmt.Errorf("%w: %w", store.ErrUnknown, err)
}

// refusals are errors of system calls that have not changed anything.
var refusals = []error{
	fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT,
	syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.EMLINK, syscall.ELOOP, syscall.EXDEV,
	syscall.EINVAL, syscall.ENOSYS, syscall.ENOTSUP, syscall.EBUSY,
}
