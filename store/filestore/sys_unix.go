//go:build linux || darwin

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/mindtrace/registry/store"
)

// openShared opens a file for reading. Without O_NONBLOCK, opening a named pipe
// would wait for a writer.
func openShared(path string) (*os.File, error) {
	return openRaw(path, syscall.O_RDONLY|syscall.O_NONBLOCK)
}

// openDir opens a directory, and nothing else.
func openDir(path string) (*os.File, error) {
	return openRaw(path, syscall.O_RDONLY|syscall.O_DIRECTORY)
}

// openNew creates a file.
func openNew(path string) (*os.File, error) {
	return openRaw(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL)
}

// openRaw is os.OpenFile without the system calls that find out whether to
// wait for input with the network's poller: not for files and directories.
func openRaw(path string, flags int) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0o666)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case err != syscall.EINTR:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// holdDir opens a directory to be flushed.
func holdDir(path string) (*os.File, error) { return openDir(path) }

// flushDir flushes the names in a directory. Some file systems (CIFS, FUSE)
// have no such operation and keep names by other means.
func flushDir(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

func stat(path string) (fs.FileInfo, time.Time, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	changed, err := changeTime(nil, fi)
	return fi, changed, err
}

// namedAt returns the change time of the file f, which has just got its name.
func namedAt(f *os.File, _ string) (time.Time, error) {
	fi, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return changeTime(f, fi)
}

// lostName reports whether the open file f has no name any more. Some FUSE
// drivers count no names at all, so the count alone says nothing.
func lostName(f *os.File, fi fs.FileInfo) bool {
	if fi.Sys().(*syscall.Stat_t).Nlink > 0 {
		return false
	}
	there, err := os.Stat(f.Name())
	return err != nil || !os.SameFile(fi, there)
}

// isStale reports whether opening the file again will help. NFS says ESTALE
// where another machine has replaced the open file.
func isStale(err error) bool { return errors.Is(err, errStale) || errors.Is(err, syscall.ESTALE) }

func setModTime(f *os.File, at time.Time) error { return os.Chtimes(f.Name(), time.Time{}, at) }

// publish gives the temporary file f the name path, which must be free.
func publish(f *os.File, path string) error {
	err := os.Link(f.Name(), path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
		// No hard links here (FAT, some FUSE and SMB mounts).
		err = renameExclusive(f.Name(), path)
	}
	return outcome(err, f, path)
}

// replaceFile gives the temporary file f the name path.
func replaceFile(f *os.File, path string) error {
	return outcome(os.Rename(f.Name(), path), f, path)
}

func removeFile(path string) error { return outcome(os.Remove(path), nil, path) }

// outcome tells what became of a change of names that failed with err. A
// network file system may have sent the request twice and told us the second
// answer (attack A45): then path is f already. The number of its names is no
// proof of that, others may link it elsewhere.
func outcome(err error, f *os.File, path string) error {
	if err == nil {
		return nil
	}
	if f != nil {
		mine, err1 := f.Stat()
		there, err2 := os.Lstat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
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

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
