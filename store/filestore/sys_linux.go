package filestore

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func changeTime(_ *os.File, fi fs.FileInfo) (time.Time, error) {
	c := fi.Sys().(*syscall.Stat_t).Ctim
	return time.Unix(c.Unix()), nil
}

func renameExclusive(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
