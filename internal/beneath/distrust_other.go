//go:build !unix

package beneath

import "io/fs"

// Distrust is not known here: what others may do is in access control lists.
func Distrust(fs.FileInfo) string { return "" }

// Stranger is not known here.
func Stranger(fs.FileInfo) string { return "" }
