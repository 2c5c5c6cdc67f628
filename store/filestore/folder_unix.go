//go:build linux || darwin

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// heldRoot is the root of a store, held open. While it is open, no other
// directory can have its identity.
type heldRoot struct{ f *os.File }

// holdRoot opens the directory at a path. The path may lead through links;
// below the root no link is followed.
func holdRoot(dir string) (*heldRoot, error) {
	fd, err := again(func() (int, error) { return unix.Open(dir, handle|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open registry", Path: dir, Err: err}
	}
	return &heldRoot{os.NewFile(uintptr(fd), dir)}, nil
}

// isAt reports whether a path leads to the root now. It reads both inode
// numbers now: on some file systems (overlayfs) the number of a directory
// changes with the first write to it.
func (h *heldRoot) isAt(dir string) (bool, error) {
	var mine, there unix.Stat_t
	if err := unix.Fstat(h.fd(), &mine); err != nil {
		return false, &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	if err := unix.Stat(dir, &there); err != nil {
		return false, &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	return mine.Dev == there.Dev && mine.Ino == there.Ino, nil
}

func (h *heldRoot) fd() int { return int(h.f.Fd()) }

// open opens a file or directory below the root, without following any link.
func (h *heldRoot) open(path, rel string, flags int) (int, error) {
	fd, err := again(func() (int, error) { return openAt(h.fd(), rel, flags|unix.O_CLOEXEC) })
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// openAt is openBelow; tests put walkBelow in its place.
var openAt = openBelow

// walkBelow is openBelow in steps, one directory after the other.
func walkBelow(dir int, rel string, flags int) (int, error) {
	at := dir
	for {
		name, rest, more := strings.Cut(rel, "/")
		if !more {
			fd, err := unix.Openat(at, name, flags|unix.O_NOFOLLOW, 0)
			if at != dir {
				unix.Close(at)
			}
			if err == nil && flags&handle == handle { // these flags may open a link itself
				var st unix.Stat_t
				if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
					err = unix.ELOOP
				}
				if err != nil {
					unix.Close(fd)
					return -1, err
				}
			}
			return fd, err
		}
		fd, err := unix.Openat(at, name, handle|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if at != dir {
			unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		at, rel = fd, rest
	}
}

func (h *heldRoot) folder(path, rel string) (*folder, error) {
	if rel == "" {
		rel = "."
	}
	fd, err := h.open(path, rel, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &folder{path, os.NewFile(uintptr(fd), path)}, nil
}

// file opens a file for reading. Without O_NONBLOCK, opening a named pipe would
// wait for a writer.
func (h *heldRoot) file(path, rel string) (*os.File, error) {
	fd, err := h.open(path, rel, unix.O_RDONLY|unix.O_NONBLOCK)
	if errors.Is(err, unix.ENXIO) { // a socket
		err = &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (h *heldRoot) status(path, rel string) (status, error) {
	fd, err := h.open(path, rel, handle)
	if err != nil {
		return status{}, err
	}
	defer unix.Close(fd)
	return statusOf(fd, path)
}

// status is what the file system reports about a file.
type status struct {
	mode     fs.FileMode // its kind
	size     int64
	modified time.Time
	changed  time.Time // set by the kernel; no program can choose it
	device   uint64
	inode    uint64
	names    uint64 // number of hard links
}

func (st status) same(other status) bool { return st.device == other.device && st.inode == other.inode }

// statusOf returns the status of the open file fd.
func statusOf(fd int, path string) (status, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	if err == unix.ENOENT { // on FUSE, an open file that was replaced
		return status{}, errStale
	}
	if err != nil {
		return status{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return newStatus(&st), nil
}

func newStatus(st *unix.Stat_t) status {
	return status{
		mode: kinds[uint32(st.Mode)&unix.S_IFMT], size: st.Size, modified: time.Unix(st.Mtim.Unix()), changed: time.Unix(st.Ctim.Unix()),
		device: uint64(st.Dev), inode: st.Ino, names: uint64(st.Nlink),
	}
}

var kinds = map[uint32]fs.FileMode{
	unix.S_IFREG: 0, unix.S_IFDIR: fs.ModeDir, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFIFO: fs.ModeNamedPipe,
	unix.S_IFSOCK: fs.ModeSocket, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice, unix.S_IFBLK: fs.ModeDevice,
}

// statusOfFile returns the status of an open file.
func statusOfFile(f *os.File) (status, error) { return statusOf(int(f.Fd()), f.Name()) }

func (d *folder) fd() int { return int(d.f.Fd()) }

func (d *folder) join(name string) string { return d.path + string(os.PathSeparator) + name }

// status returns the status of an entry of the directory; for a link, its own.
func (d *folder) status(name string) (status, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return status{}, &fs.PathError{Op: "stat", Path: d.join(name), Err: err}
	}
	return newStatus(&st), nil
}

// create creates a file.
func (d *folder) create(name string) (*os.File, error) {
	return d.open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
}

// open opens a file in the directory, or creates it.
func (d *folder) open(name string, flags int) (*os.File, error) {
	fd, err := again(func() (int, error) {
		return unix.Openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: d.join(name), Err: err}
	}
	return os.NewFile(uintptr(fd), d.join(name)), nil
}

func (d *folder) mkdir(name string) error {
	if err := unix.Mkdirat(d.fd(), name, 0o777); err != nil {
		return &fs.PathError{Op: "mkdir", Path: d.join(name), Err: err}
	}
	return nil
}

// rmdir removes a directory if it is empty.
func (d *folder) rmdir(name string) error { return d.unlink(name, unix.AT_REMOVEDIR) }

// remove removes a file.
func (d *folder) remove(name string) error { return outcome(d.unlink(name, 0), d, nil, "") }

func (d *folder) unlink(name string, flags int) error {
	if err := unix.Unlinkat(d.fd(), name, flags); err != nil {
		return &fs.PathError{Op: "remove", Path: d.join(name), Err: err}
	}
	return nil
}

// setModTime sets the modification time of a file.
func (d *folder) setModTime(f *os.File, at time.Time) error {
	if err := setTime(d, filepath.Base(f.Name()), at); err != nil {
		return &fs.PathError{Op: "chtimes", Path: f.Name(), Err: err}
	}
	return nil
}

// publish gives the temporary file f the name, which must be free.
func (d *folder) publish(f *os.File, name string) error {
	from := filepath.Base(f.Name())
	err := unix.Linkat(d.fd(), from, d.fd(), name, 0)
	if err == unix.EPERM || err == unix.ENOTSUP || err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		// This file system has no hard links (FAT, some FUSE and SMB mounts).
		err = renameExclusive(d.fd(), from, name)
	}
	return outcome(d.renamed("link", from, name, err), d, f, name)
}

// replace gives the temporary file f the name, in place of the file that has it.
func (d *folder) replace(f *os.File, name string) error {
	from := filepath.Base(f.Name())
	return outcome(d.renamed("rename", from, name, unix.Renameat(d.fd(), from, d.fd(), name)), d, f, name)
}

func (d *folder) renamed(op, from, to string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: d.join(from), New: d.join(to), Err: err}
}

// again repeats a system call that a signal interrupts.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}
