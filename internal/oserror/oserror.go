// Package oserror says what a failure of the operating system means to a program.
// [Of] returns the [Class] of an error. Packages filestore, tree and cachestore ask
// it, and so do the registry and the command mindreg.
//
// No other package looks at the numbers of errors. So everywhere a refused access
// is different from an absent file, and a server that does not answer from an empty
// directory.
package oserror

// Class says what a failure means.
type Class int

// The classes of failures.
const (
	// Other: a program can do nothing about it.
	Other Class = iota
	// Absent: there is no such file, or a part of the path above it is no
	// directory.
	Absent
	// Exists: the name exists.
	Exists
	// Denied: this user does not have the permission.
	Denied
	// ReadOnly: the file system is mounted read-only.
	ReadOnly
	// Full: no space or no more files are left, or a quota is used up.
	Full
	// Link: a symbolic link, or too many of them, where it is not followed.
	Link
	// Unreachable: the server of a network mount, or the program behind a FUSE
	// mount, does not answer. It may come back.
	Unreachable
)

// Of returns the class of err, which may be wrapped in other errors. The class of
// nil is Other.
func Of(err error) Class { return classOf(err) }
