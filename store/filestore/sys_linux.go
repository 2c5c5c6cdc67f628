package filestore

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handle opens what only its identity and its names are wanted of. It needs no
// permission.
const handle = unix.O_PATH

// openBelow opens what is below a directory, without following any link, in one
// step where the kernel has that (5.6, and no filter against it).
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
