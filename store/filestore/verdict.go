package filestore

import "sync"

// verdict is whether replacements can be trusted at the place of a store. It
// is found out once.
type verdict struct {
	mu    sync.Mutex
	known bool
	err   error // why not
}

// of returns an error if replacements in s could lose data. After an error of
// finding out, the next call tries again.
func (v *verdict) of(s *Store) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known {
		return v.err
	}
	if v.err = mountRefusal(s.root); v.err == nil {
		hides, err := s.hidesReplaced()
		if err != nil {
			return err
		}
		if hides {
			v.err = errHides(s.root)
		}
	}
	v.known = true
	return v.err
}
