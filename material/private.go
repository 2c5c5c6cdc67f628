package material

import "io/fs"

// PrivateSink is an optional interface of sinks that want to know which files and
// directories only their owner may read. An object does not keep these permissions,
// so a save should warn its user.
type PrivateSink interface {
	Sink
	// Private is called once for each of these files and directories, before the
	// entries below it.
	Private(name string)
}

// notePrivate calls Private if only the owner may read a file or directory. An
// entry without any permissions is not from a disk.
func notePrivate(dst Sink, name string, mode fs.FileMode) {
	if s, ok := dst.(PrivateSink); ok && mode.Perm()&0o077 == 0 && mode.Perm()&0o400 != 0 {
		s.Private(name)
	}
}
