package manifest

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
)

// Purged returns what is left of a version that can never be brought back, once no
// save can rely on its packs: the name and number, which are never used again, and
// the digest and sizes. died is when the version was deleted.
//
// The result has the head of m: call Supersede before it is written.
func (m *Manifest) Purged(died time.Time) *Manifest {
	h := m.Head
	h.Requires = nil // nothing that is left needs a feature
	return &Manifest{
		Head: h, State: Purged, Name: m.Name, Version: m.Version,
		Created: m.Created, Died: died.UTC().Truncate(time.Millisecond),
		Digest: m.Digest, Size: m.Size, Count: m.Count,
	}
}

// Purging returns what is left of a version that is deleted for good now: what
// Purged returns, and its packs. For a window and a margin, collections keep these
// packs: a save that has read the version while it was live may reuse its chunks.
// An older program would free them, so the register requires a feature that makes
// it refuse.
func (m *Manifest) Purging(died time.Time) *Manifest {
	p := m.Purged(died)
	p.Placement.Packs, p.Table = m.Placement.Packs, m.Table
	if m.Table != nil {
		p.Placement = Placement{} // the table has it
		if compressed([]File{m.Table.File}) {
			p.require(featureZstd)
		}
	}
	if p.NamesPacks() {
		p.require(featurePurge)
	}
	return p
}

// NamesPacks reports whether the register names packs, itself or in its table.
func (m *Manifest) NamesPacks() bool { return m.Table != nil || len(m.Placement.Packs) > 0 }

// checkPurged refuses a purged register that holds more than Purged and Purging
// leave.
func (m *Manifest) checkPurged() error {
	c, p := &m.Content, m.Placement
	p.Packs = nil
	switch {
	case c.Class != "" || c.Materializer != "" || c.Metadata != nil || c.Files != nil:
		return errors.New("a purged register with content")
	case !p.empty() || !m.NotAfter.IsZero():
		return errors.New("a purged register with a placement")
	case m.Died.IsZero():
		return errors.New("a purged register without a time of death")
	case m.NamesPacks() && !m.requires(featurePurge):
		return errors.New(`a purged register that names packs, and does not require "purge"`)
	case m.Table == nil:
		return checkPacks(m.Placement.Packs)
	case len(m.Placement.Packs) > 0:
		return errors.New("it has both a table and packs")
	}
	if err := m.checkFeatures(); err != nil {
		return err
	}
	return m.Table.check()
}

// SaysPurged reports whether a register that cannot be decoded still has the state
// Purged.
func SaysPurged(body []byte) bool {
	var says struct {
		State State `json:"state"`
	}
	return json.Unmarshal(body, &says) == nil && says.State == Purged
}
