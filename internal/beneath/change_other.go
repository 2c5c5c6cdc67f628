//go:build !linux && !darwin

package beneath

import (
	"io/fs"
	"time"
)

// ChangeTime is not available here: ok is false.
func ChangeTime(fs.FileInfo) (at time.Time, ok bool) { return time.Time{}, false }
