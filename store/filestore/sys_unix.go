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

// holdDir opens a directory above the root, to flush it.
func holdDir(path string) (*os.File, error) {
	fd, err := again(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// errNotEmpty: a directory cannot be removed because it has entries. Some
// systems report EEXIST, which is the same to errors.Is.
var errNotEmpty error = syscall.ENOTEMPTY

// flushDir flushes the names in a directory. Some file systems (CIFS, FUSE)
// do not have this operation and make names durable in other ways.
func flushDir(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

// namedAt returns the status of the file f, which has just got its name.
func namedAt(f *os.File, _ *folder, _ string) (status, error) { return statusOfFile(f) }

// isStale reports whether opening the file again helps. NFS returns ESTALE
// when another machine has replaced the open file.
func isStale(err error) bool { return errors.Is(err, errStale) || errors.Is(err, syscall.ESTALE) }

// outcome returns nil if a change of names was applied although it failed with
// err, err if it was not applied, and ErrUnknown otherwise. A network file
// system may have sent the request twice and reported the second answer, which
// is "exists already" for a link that succeeded (docs/attacks.md, A45). Then
// name leads to f. The number of hard links would be no proof: another program
// may have linked f elsewhere.
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
	// EIO, ETIMEDOUT, ESTALE, ...: the server may apply it, or has applied it.
	return fmt.Errorf("%w: %w", store.ErrUnknown, err)
}

// refusals are errors of system calls that prove that nothing was changed.
var refusals = []error{
	fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT,
	syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.EMLINK, syscall.ELOOP, syscall.EXDEV,
	syscall.EINVAL, syscall.ENOSYS, syscall.ENOTSUP, syscall.EBUSY,
}
