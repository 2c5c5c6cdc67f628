//go:build linux || darwin

package filestore

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/internal/oserror"
)

// lock locks a file in the directory with flock, and makes the file if it does
// not exist. flock excludes every other open file description, in this process
// and in others.
func (d *folder) lock(ctx context.Context, name string) (release func(), err error) {
	f, err := d.lockable(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	err = poll(ctx, func() (bool, error) {
		err := flock(f)
		if errors.Is(err, unix.EBADF) || errors.Is(err, unix.EIO) { // NFS locks only files that are open for writing
			f.Close()
			if f, err = d.lockable(name, unix.O_RDWR); err == nil {
				err = flock(f)
			}
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		unix.Flock(int(f.Fd()), unix.LOCK_UN) // a forked child may hold the file open still
		f.Close()
	}, nil
}

// lockable opens a lock file. With O_NONBLOCK, a named pipe in its place does
// not block.
func (d *folder) lockable(name string, flags int) (*os.File, error) {
	f, err := d.open(name, flags|unix.O_CREAT|unix.O_NONBLOCK)
	switch {
	case oserror.Of(err) == oserror.Link:
		return nil, foreign("lock", d.join(name), isLink)
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENODEV):
		return nil, foreign("lock", d.join(name), isNoLock)
	case err != nil:
		return nil, err
	}
	st, err := statusOfFile(f)
	if err == nil && !st.mode.IsRegular() {
		err = foreign("lock", d.join(name), isNoLock)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func flock(f *os.File) error {
	_, err := again(func() (int, error) { return 0, unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return nil
}
