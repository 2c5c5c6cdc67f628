package filestore

import "sync"

// Counts is how often a Store has changed the file system, and flushed it.
type Counts struct {
	Files, Flushes, DirFlushes, Dirs int
	Bytes                            int64 // written
}

// Counter counts from now on.
func Counter(s *Store) (take func() Counts) {
	var mu sync.Mutex
	var n Counts
	s.around = func(e effect, happen func() error) error {
		if err := happen(); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		switch e.op {
		case opCreate:
			n.Files++
		case opSync:
			n.Flushes++
		case opSyncDir:
			n.DirFlushes++
		case opMkdir:
			n.Dirs++
		case opWrite:
			n.Bytes += int64(len(e.data))
		}
		return nil
	}
	return func() Counts {
		mu.Lock()
		defer mu.Unlock()
		defer func() { n = Counts{} }()
		return n
	}
}
