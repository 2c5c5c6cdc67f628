package manifest

import (
	"errors"
	"time"
)

// Purged returns what is left of a tombstone once its version can no longer
// be brought back: the name and number, which stay taken for ever, and the
// digest and sizes of what it was. died is when it was deleted.
//
// The result has the head of m; call Succeed before it is written.
func (m *Manifest) Purged(died time.Time) *Manifest {
	h := m.Head
	h.Requires = nil // nothing is left that takes a feature
	return &Manifest{
		Head: h, State: Purged, Name: m.Name, Version: m.Version,
		Created: m.Created, Died: died.UTC().Truncate(time.Millisecond),
		Digest: m.Digest, Size: m.Size, Count: m.Count,
	}
}

// checkPurged refuses a purged register that still holds something: whoever
// wrote it thinks differently of what purged means.
func (m *Manifest) checkPurged() error {
	c := &m.Content
	switch {
	case c.Class != "" || c.Materializer != "" || c.Metadata != nil || c.Files != nil:
		return errors.New("a purged register with content")
	case !m.Placement.empty() || m.Table != nil || !m.NotAfter.IsZero():
		return errors.New("a purged register with a placement")
	case m.Died.IsZero():
		return errors.New("a purged register without a time of death")
	}
	return nil
}
