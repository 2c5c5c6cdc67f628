package filestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	smallRead = 64 << 10 // bytes of the buffer for one call of getdents
	largeRead = 8 << 20  // the same for a large directory
)

var readBuffers = sync.Pool{New: func() any { return new([smallRead]byte) }}

// each calls visit for each entry of the directory, in no order, with its
// type. It reports whether all entries are the directory's state at one moment.
//
// One call of getdents holds the directory's lock, and every change of the
// directory needs that lock exclusively. So the entries of a single call are
// the state of one moment, if the next call finds that none are left.
// https://docs.kernel.org/filesystems/locking.html (iterate_shared)
func (d *folder) each(visit func(name []byte, mode fs.FileMode) error) (moment bool, err error) {
	fail := func(op string, err error) (bool, error) { return false, &fs.PathError{Op: op, Path: d.path, Err: err} }
	fd := d.fd()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fail("stat", err)
	}
	small := readBuffers.Get().(*[smallRead]byte)
	defer readBuffers.Put(small)
	buf := small[:]
	if st.Size > smallRead/2 { // entries are larger in the buffer than on the disk
		buf = make([]byte, min(2*st.Size, largeRead))
	}
	for calls := 0; ; calls++ {
		n, err := again(func() (int, error) { return unix.Getdents(fd, buf) })
		if err != nil {
			return fail("readdirent", err)
		}
		if n == 0 {
			return calls <= 1 && locksDirectories(fd), nil
		}
		if err := d.eachEntry(buf[:n], visit); err != nil {
			return false, err
		}
	}
}

// eachEntry calls visit for each of the entries that the kernel has returned.
// https://man7.org/linux/man-pages/man2/getdents.2.html (linux_dirent64)
func (d *folder) eachEntry(entries []byte, visit func(name []byte, mode fs.FileMode) error) error {
	const length, kind, text = 16, 18, 19
	for len(entries) > text {
		n := int(binary.NativeEndian.Uint16(entries[length:]))
		if n <= text || n > len(entries) {
			return &fs.PathError{Op: "readdirent", Path: d.path, Err: errors.New("the kernel returned a broken entry")}
		}
		name, _, _ := bytes.Cut(entries[text:n], []byte{0})
		mode, known := modes[entries[kind]]
		entries = entries[n:]
		if s := string(name); s == "." || s == ".." {
			continue
		}
		if !known {
			st, err := d.status(string(name))
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile
			}
			if err != nil {
				return err
			}
			mode = st.mode
		}
		if err := visit(name, mode); err != nil {
			return err
		}
	}
	return nil
}

// modes are the kinds of entries. Some file systems do not report them.
var modes = map[byte]fs.FileMode{
	unix.DT_REG: 0, unix.DT_DIR: fs.ModeDir, unix.DT_LNK: fs.ModeSymlink, unix.DT_FIFO: fs.ModeNamedPipe,
	unix.DT_SOCK: fs.ModeSocket, unix.DT_CHR: fs.ModeCharDevice, unix.DT_BLK: fs.ModeDevice,
}

// locksDirectories reports whether a directory is on a local file system that
// leaves the lock to the kernel. On all others, another machine may change
// a directory while it is read.
func locksDirectories(fd int) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return false
	}
	switch st.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}
