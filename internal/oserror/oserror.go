// Package oserror says what a failure of the operating system means to a
// caller. It is the one place that knows the numbers of errors: a refused
// access is never taken for an absent file, nor a server that is gone for an
// empty directory.
package oserror

// Class is what a failure means.
type Class int

const (
	// Other: nothing that a program could act upon.
	Other Class = iota
	// Absent: there is no such file, or what should be a directory above it is
	// a file.
	Absent
	// Exists: the name is taken.
	Exists
	// Denied: no permission.
	Denied
	// ReadOnly: the file system is mounted so that nobody may write to it.
	ReadOnly
	// Full: no space, no more files, or a quota is used up.
	Full
	// Link: a symbolic link, or too many of them, where none may be.
	Link
	// Unreachable: the server of a network mount, or the program behind a FUSE
	// mount, does not answer any more. It may come back.
	Unreachable
)

// Of returns the class of err, which may wrap the error of a system call. The
// class of nil is Other.
func Of(err error) Class { return classOf(err) }
