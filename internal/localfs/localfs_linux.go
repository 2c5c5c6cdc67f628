package localfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// fixed asks the kernel. That knows a mount point also where the device number is
// the same on both sides, as in containers. Old kernels do not say.
func fixed(path string) error {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &st); err != nil {
		return nil
	}
	switch has := st.Attributes & st.Attributes_mask; {
	case has&unix.STATX_ATTR_MOUNT_ROOT != 0:
		return errMount
	case has&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0:
		return fmt.Errorf("it is marked immutable or append-only (chattr): %w", fs.ErrPermission)
	}
	return nil
}

// MountIn returns a mount point below a directory, or "" if there is none or that
// is not known.
// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func MountIn(dir string) string {
	at, err := filepath.EvalSymlinks(dir)
	if err == nil {
		at, err = filepath.Abs(at)
	}
	info, rerr := os.ReadFile("/proc/self/mountinfo")
	if err != nil || rerr != nil {
		return "" // nothing is known
	}
	for line := range strings.Lines(string(info)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		point := unescape.Replace(f[4])
		if strings.HasPrefix(point, strings.TrimSuffix(at, "/")+"/") {
			return point
		}
	}
	return ""
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// acl is the attribute with the access control list of a file, if it has one
// beside its permissions. https://man7.org/linux/man-pages/man5/acl.5.html
const acl = "system.posix_acl_access"

// keepACL gives now the access control list of old. If old has none, it removes
// the one that now may have from its directory.
func keepACL(old, now Place) error {
	oldPath, closeOld, err := old.held()
	if err != nil {
		return err
	}
	defer closeOld()
	nowPath, closeNow, err := now.held()
	if err != nil {
		return err
	}
	defer closeNow()
	list := make([]byte, 64<<10) // the largest attribute
	n, err := unix.Lgetxattr(oldPath, acl, list)
	switch {
	case errors.Is(err, unix.ENOTSUP):
		return nil
	case errors.Is(err, unix.ENODATA):
		if err := unix.Lremovexattr(nowPath, acl); err != nil && !errors.Is(err, unix.ENODATA) {
			return err
		}
		return nil
	case err != nil:
		return err
	}
	return unix.Lsetxattr(nowPath, acl, list[:n], 0)
}

// held returns a path that leads through the open directory, even if another one
// has its path by now. Attributes can only be read by path.
func (p Place) held() (path string, release func(), err error) {
	dir, err := p.Root.Open(".")
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), p.Name), func() { dir.Close() }, nil
}

func renameMode(a int, from string, b int, to string, mode Mode) error {
	flag := uint(unix.RENAME_NOREPLACE)
	if mode == Exchange {
		flag = unix.RENAME_EXCHANGE
	}
	err := unix.Renameat2(a, from, b, to, flag)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}
