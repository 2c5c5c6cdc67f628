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

// identity tells a directory from another that had its path, or even its
// inode number, before.
type identity struct {
	major, minor uint32
	inode        uint64
	born         unix.StatxTimestamp // zero where the file system does not say
}

func identify(d *os.File) (identity, error) {
	var st unix.Statx_t
	err := unix.Statx(int(d.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st)
	if err != nil { // some containers forbid it
		fi, err := d.Stat()
		if err != nil {
			return identity{}, err
		}
		st := fi.Sys().(*syscall.Stat_t)
		return identity{major: unix.Major(st.Dev), minor: unix.Minor(st.Dev), inode: st.Ino}, nil
	}
	id := identity{major: st.Dev_major, minor: st.Dev_minor, inode: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.born = st.Btime
	}
	return id, nil
}

// writeBack has the kernel begin to write n bytes of f at off to the disk.
// Whether that goes well, the flush tells.
func writeBack(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// setDirect has writes to f go to the disk itself, or no longer. Some file
// systems do not know that.
func setDirect(f *os.File, on bool) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	flags &^= unix.O_DIRECT
	if on {
		flags |= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
	return err
}
