package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func changeTime(_ *os.File, fi fs.FileInfo) (time.Time, error) {
	c := fi.Sys().(*syscall.Stat_t).Ctimespec
	return time.Unix(c.Unix()), nil
}

func renameExclusive(from, to string) error {
	if err := unix.RenamexNp(from, to, unix.RENAME_EXCL); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func mountRefusal(string) error { return nil }

// identity tells a directory from another that had its path, or even its
// inode number, before.
type identity struct {
	device int32
	inode  uint64
	born   syscall.Timespec
}

func identify(d *os.File) (identity, error) {
	fi, err := d.Stat()
	if err != nil {
		return identity{}, err
	}
	st := fi.Sys().(*syscall.Stat_t)
	return identity{st.Dev, st.Ino, st.Birthtimespec}, nil
}

// writeBack: this system offers nothing of the kind.
func writeBack(*os.File, int64, int64) {}

// setDirect: nor is this.
func setDirect(*os.File, bool) error { return errors.ErrUnsupported }
