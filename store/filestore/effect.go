package filestore

import (
	"os"
	"time"
)

// effect is a change that a Store makes to the file system, or the flush of
// one. These are all, but for the lock files and the reserve, which hold nothing.
type effect struct {
	op   effectOp
	path string    // what gets or loses its name
	file *os.File  // what is written, flushed or named
	data []byte    // opWrite: the bytes
	time time.Time // opTime: the modification time
}

type effectOp string

const (
	opMkdir   effectOp = "mkdir"
	opCreate  effectOp = "create"
	opWrite   effectOp = "write"
	opTime    effectOp = "time"
	opSync    effectOp = "sync"
	opLink    effectOp = "link"    // also gives file the name path
	opRename  effectOp = "rename"  // gives file the name path in place of its own
	opRemove  effectOp = "remove"  // of a file, or an empty directory
	opSyncDir effectOp = "syncdir" // flushes the names in the directory file
)

// do has an effect. Tests watch it, or keep it from happening: what they see
// is what is done, since there is no other way to do it.
func (s *Store) do(e effect, happen func() error) error {
	if s.around == nil {
		return happen()
	}
	return s.around(e, happen)
}
