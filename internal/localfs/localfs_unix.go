//go:build unix

package localfs

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func stat(fi fs.FileInfo) *syscall.Stat_t { return fi.Sys().(*syscall.Stat_t) }

// Mine reports whether this user owns a file or directory, and a file has no
// other name.
func Mine(fi fs.FileInfo) bool {
	st := stat(fi)
	return int64(st.Uid) == int64(os.Geteuid()) && (fi.IsDir() || st.Nlink == 1)
}

// Private reports whether a directory is this user's, and closed to others.
func Private(fi fs.FileInfo) bool { return Mine(fi) && fi.IsDir() && fi.Mode().Perm()&0o077 == 0 }

// SameOwner reports whether two files have the same owner.
func SameOwner(a, b fs.FileInfo) bool { return stat(a).Uid == stat(b).Uid }

// Allocated returns how many bytes a file takes on its disk.
func Allocated(fi fs.FileInfo) int64 { return stat(fi).Blocks * 512 }

// MayFollow reports whether the symbolic link in the directory dir may be
// followed. In one that everybody may write to, as /tmp, a link of a stranger
// may be a trap: the rule is that of the kernel's protected_symlinks.
// https://docs.kernel.org/admin-guide/sysctl/fs.html#protected-symlinks
func MayFollow(link, dir fs.FileInfo) bool {
	shared := dir.Mode()&fs.ModeSticky != 0 && dir.Mode().Perm()&0o002 != 0
	return !shared || ownedByMe(link) || SameOwner(link, dir)
}

// Fixed returns why no other file or directory can take the name of the one at
// path, which is in the directory dir, or nil if nothing is known that forbids it.
func Fixed(path string, fi, dir fs.FileInfo) error {
	if stat(fi).Dev != stat(dir).Dev {
		return errMount
	}
	if dir.Mode()&fs.ModeSticky != 0 && os.Geteuid() != 0 && !ownedByMe(fi) && !ownedByMe(dir) {
		return fmt.Errorf("another user owns it, in a directory where only owners may replace files: %w", fs.ErrPermission)
	}
	return fixed(path)
}

func ownedByMe(fi fs.FileInfo) bool { return int64(stat(fi).Uid) == int64(os.Geteuid()) }

var errMount = fmt.Errorf("it is a mount point: %w", syscall.EBUSY)

// Place is a file or directory by its name in a directory that is held open.
type Place struct {
	Root *os.Root
	Name string
}

// KeepAs gives now, which is this user's, the permissions perm in place of old:
// with its owner and group where this user may set them, and its access control
// list. Where that cannot be, its group may do no more than everybody.
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
	// Before the owner, who may be the only one who can; and after the group, a
	// change of which clears bits.
	if err := now.Root.Chmod(now.Name, perm|is.Mode()&fs.ModeSetgid); err != nil {
		return err
	}
	if stat(is).Uid != stat(was).Uid {
		_ = now.Root.Lchown(now.Name, int(stat(was).Uid), -1) // root alone can
	}
	return nil
}

// Free returns how many bytes this user may still write to the file system of
// dir, and false if it does not say.
func Free(dir string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 { // for which some are kept
		blocks = st.Bfree
	}
	if uint64(blocks) > 1<<62/uint64(st.Bsize) {
		return 0, false
	}
	return int64(blocks) * int64(st.Bsize), true
}

// rename is Rename where the system has the mode.
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
