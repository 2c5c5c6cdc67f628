package beneath

import (
	"io/fs"
	"syscall"
	"time"
)

// ChangeTime returns when the system last changed something about a file: its
// bytes, names, mode, owner or times. No program can set it. ok is false if
// fi does not come from the operating system.
func ChangeTime(fi fs.FileInfo) (at time.Time, ok bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(st.Ctim.Unix()), true
}
