package material

import "io/fs"

// PrivateSink is a Sink that is told which files and directories nobody but
// their owner may read: an object does not keep that, so whoever saves them
// should know. The registry's sinks are PrivateSinks.
type PrivateSink interface {
	Sink
	// Private is called once for such a file or directory, before what is in it.
	Private(name string)
}

// notePrivate tells a sink of a file or directory that only its owner may read.
// What has no permissions at all is no file of a disk.
func notePrivate(dst Sink, name string, mode fs.FileMode) {
	if s, ok := dst.(PrivateSink); ok && mode.Perm()&0o077 == 0 && mode.Perm()&0o400 != 0 {
		s.Private(name)
	}
}
