package filestore

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handle are the flags to open a file only to learn its identity, or to reach
// its entries. Opening with them needs no permission on the file itself.
const handle = unix.O_PATH

// openBelow opens a path below a directory, without following any link. It is
// one system call on Linux 5.6 and later, unless a filter forbids it.
func openBelow(dir int, rel string, flags int) (int, error) {
	fd, err := unix.Openat2(dir, rel, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err == unix.ENOSYS || err == unix.EPERM {
		return walkBelow(dir, rel, flags)
	}
	return fd, err
}

func renameExclusive(dir int, from, to string) error {
	return unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
}

func setTime(d *folder, name string, at time.Time) error {
	ts, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(d.fd(), name, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// identity distinguishes a directory from an earlier one with the same path,
// or even the same inode number.
type identity struct {
	major, minor uint32
	inode        uint64
	born         unix.StatxTimestamp // zero if the file system does not report it
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

// writeBack makes the kernel start writing n bytes of f at off to the disk. An
// error of the disk shows in the flush.
func writeBack(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// setDirect turns O_DIRECT on or off for f. Some file systems do not support
// it.
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
