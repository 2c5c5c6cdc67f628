//go:build unix

package localfs

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// There are two rules about owners, for two kinds of places.
//
// Mine, Private and SameOwner: this user alone. They are for the directory in which
// a load grows. It is in a directory where other users may make files, under a name
// that anybody can compute, and what is in it becomes the user's data. A file of
// root is refused, too: no load of this user has made it, and this user could not
// replace it.
//
// Stranger and Distrust: this user or root. They are for the cache, whose directory
// may be one that root has made, such as a volume of a container. Root can change
// every file anyway. The danger is another user who can change what this one reads.

// Mine reports whether this user owns a file or directory. A file with a second
// name is not Mine: what is written to it shows under the other name, too.
func Mine(fi fs.FileInfo) bool { return ownedByMe(fi) && (fi.IsDir() || stat(fi).Nlink == 1) }

// Private reports whether fi is a directory of this user, and closed to all others.
func Private(fi fs.FileInfo) bool { return Mine(fi) && fi.IsDir() && fi.Mode().Perm()&0o077 == 0 }

// SameOwner reports whether two files have the same owner.
func SameOwner(a, b fs.FileInfo) bool { return stat(a).Uid == stat(b).Uid }

// Stranger returns which other user owns fi, as the end of a sentence, or "" if
// that is this user or root.
func Stranger(fi fs.FileInfo) string {
	if st := stat(fi); st.Uid == 0 || ownedByMe(fi) {
		return ""
	}
	return fmt.Sprintf("it belongs to another user (id %d)", stat(fi).Uid)
}

// Distrust returns why users other than this one and root can change what fi
// describes, or "": it is a Stranger's, or everybody may write to it. A group may
// write to it: its owner has allowed that.
func Distrust(fi fs.FileInfo) string {
	if why := Stranger(fi); why != "" {
		return why
	}
	if fi.Mode()&0o002 != 0 && fi.Mode()&fs.ModeSymlink == 0 {
		return fmt.Sprintf("everybody may write to it (%s)", fi.Mode())
	}
	return ""
}

func ownedByMe(fi fs.FileInfo) bool { return int64(stat(fi).Uid) == int64(os.Geteuid()) }

func stat(fi fs.FileInfo) *syscall.Stat_t { return fi.Sys().(*syscall.Stat_t) }
