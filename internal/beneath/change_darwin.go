package beneath

import (
	"io/fs"
	"syscall"
	"time"
)

// ChangeTime returns when a file was last changed in any way: bytes, names, mode,
// owner or times. The system sets it, and no program can. ok is false if fi is not
// from the operating system.
func ChangeTime(fi fs.FileInfo) (at time.Time, ok bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(st.Ctimespec.Unix()), true
}
