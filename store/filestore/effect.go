package filestore

import (
	"os"
	"time"
)

// effect is a change that a Store makes to the file system, or the flush of
// one. Every change is an effect, except those of the lock files and of the
// reserve, which hold no data.
type effect struct {
	op   effectOp
	path string    // the name that is given or removed
	file *os.File  // the file that is written, flushed or named
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

// do makes an effect happen. There is no other way to change the file system,
// so tests see every change here, and can prevent it.
func (s *Store) do(e effect, happen func() error) error {
	if s.around == nil {
		return happen()
	}
	return s.around(e, happen)
}
