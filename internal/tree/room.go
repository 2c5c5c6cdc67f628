package tree

import (
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/localfs"
)

// roomError is fault.ErrNoSpace: the files take more room than the disk has.
type roomError struct {
	need, free int64 // bytes
	dir        string
}

func (e *roomError) Error() string {
	return fmt.Sprintf("%v: the load writes %d bytes (%d MiB), and %s has room for %d (%d MiB); "+
		"make room, or name a destination on another disk", fault.ErrNoSpace, e.need, (e.need+1<<20-1)>>20, e.dir, e.free, e.free>>20)
}

func (e *roomError) Is(target error) bool { return target == fault.ErrNoSpace }

// enoughRoom returns a roomError if need bytes cannot be written to dir. It is
// called before they are fetched. Where the file system does not say how much
// room it has, the answer is nil, and a write may fail later.
func enoughRoom(dir string, need int64) error {
	if free, known := localfs.Free(dir); known && need > free {
		return &roomError{need, free, dir}
	}
	return nil
}
