package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handle are the flags to open a file only to learn its identity, or to reach
// its entries.
const handle = unix.O_RDONLY | unix.O_NONBLOCK

// openBelow opens a path below a directory, without following any link.
func openBelow(dir int, rel string, flags int) (int, error) { return walkBelow(dir, rel, flags) }

func renameExclusive(dir int, from, to string) error {
	return unix.RenameatxNp(dir, from, dir, to, unix.RENAME_EXCL)
}

func setTime(d *folder, name string, at time.Time) error {
	const omit = -2 // UTIME_OMIT of sys/stat.h
	ts, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(d.fd(), name, []unix.Timespec{{Nsec: omit}, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

func (d *folder) entries() ([]fs.DirEntry, error) { return d.f.ReadDir(-1) }

func mountRefusal(string) error { return nil }

// identity distinguishes a directory from an earlier one with the same path,
// or even the same inode number.
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

// writeBack does nothing: macOS has no such call.
func writeBack(*os.File, int64, int64) {}

// setDirect fails: macOS has no O_DIRECT.
func setDirect(*os.File, bool) error { return errors.ErrUnsupported }
