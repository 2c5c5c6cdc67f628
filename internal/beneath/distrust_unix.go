//go:build unix

package beneath

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Distrust says why others than this user and root can change what fi
// describes, or nothing: it belongs to another user, or everybody may write to
// it. A group that may write to it was let in by its owner.
func Distrust(fi fs.FileInfo) string {
	if why := Stranger(fi); why != "" {
		return why
	}
	if fi.Mode()&0o002 != 0 && fi.Mode()&fs.ModeSymlink == 0 {
		return fmt.Sprintf("everybody may write to it (%s)", fi.Mode())
	}
	return ""
}

// Stranger says which other user what fi describes belongs to, or nothing if it
// belongs to this user or to root.
func Stranger(fi fs.FileInfo) string {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return ""
	}
	return fmt.Sprintf("it belongs to another user (id %d)", st.Uid)
}
