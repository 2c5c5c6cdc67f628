//go:build unix

package localfs

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Allocated returns how many bytes a file takes on its disk.
func Allocated(fi fs.FileInfo) int64 { return stat(fi).Blocks * 512 }

// MayFollow reports whether the symbolic link link in the directory dir may be
// followed. In a directory that everybody may write to, such as /tmp, a link of
// another user may be a trap. The rule is that of the kernel's protected_symlinks.
// https://docs.kernel.org/admin-guide/sysctl/fs.html#protected-symlinks
func MayFollow(link, dir fs.FileInfo) bool {
	shared := dir.Mode()&fs.ModeSticky != 0 && dir.Mode().Perm()&0o002 != 0
	return !shared || ownedByMe(link) || SameOwner(link, dir)
}

// Fixed returns why the file or directory at path, in the directory dir, cannot be
// replaced by another one: it is a mount point, immutable, or another user's. It
// returns nil if no reason is known.
func Fixed(path string, fi, dir fs.FileInfo) error {
	if stat(fi).Dev != stat(dir).Dev {
		return errMount
	}
	if dir.Mode()&fs.ModeSticky != 0 && os.Geteuid() != 0 && !ownedByMe(fi) && !ownedByMe(dir) {
		return fmt.Errorf("another user owns it, in a directory where only owners may replace files: %w", fs.ErrPermission)
	}
	return fixed(path)
}

var errMount = fmt.Errorf("it is a mount point: %w", syscall.EBUSY)

// Place is the name of a file or directory in a directory that is held open.
type Place struct {
	Root *os.Root
	Name string
}

// KeepAs prepares the file or directory now, of this user, to replace old. It sets
// the permissions perm, and the owner, the group and the access control list of
// old. If this user may not set the group or the list, the group of now gets only
// the permissions that everybody has.
func KeepAs(now, old Place, perm fs.FileMode) error {
	was, err := old.Root.Lstat(old.Name)
	if err != nil {
		return err
	}
	is, err := now.Root.Lstat(now.Name)
	if err != nil {
		return err
	}
	same := stat(is).Gid == stat(was).Gid || now.Root.Lchown(now.Name, -1, int(stat(was).Gid)) == nil
	if !same || keepACL(old, now) != nil {
		perm &= ^fs.FileMode(0o070) | perm&0o007<<3
	}
	// After the group, since changing that clears bits; before the owner, since
	// only the owner may do it.
	if err := now.Root.Chmod(now.Name, perm|is.Mode()&fs.ModeSetgid); err != nil {
		return err
	}
	if stat(is).Uid != stat(was).Uid {
		_ = now.Root.Lchown(now.Name, int(stat(was).Uid), -1) // only root may
	}
	return nil
}

// Free returns how many bytes this user can still write to the file system of dir.
// known is false if the file system does not say.
func Free(dir string) (bytes int64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 { // some blocks are reserved for root
		blocks = st.Bfree
	}
	if uint64(blocks) > 1<<62/uint64(st.Bsize) {
		return 0, false
	}
	return int64(blocks) * int64(st.Bsize), true
}

// rename is Rename, or errors.ErrUnsupported if the system does not have the mode.
func rename(old *os.Root, from string, new *os.Root, to string, mode Mode) error {
	a, err := old.Open(".")
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := new.Open(".")
	if err != nil {
		return err
	}
	defer b.Close()
	if mode == Replace {
		err = unix.Renameat(int(a.Fd()), from, int(b.Fd()), to)
	} else {
		err = renameMode(int(a.Fd()), from, int(b.Fd()), to, mode)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
