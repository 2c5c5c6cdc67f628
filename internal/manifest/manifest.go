package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// State of a version.
type State string

// The states of a version. A register is created live. A delete makes it deleted,
// an undelete live again. A purge, or a collection once it is too late to undelete,
// makes it purged. The register stays, so the number is never used again.
const (
	Live    State = "live"
	Deleted State = "deleted" // a tombstone that still holds the whole manifest
	Purged  State = "purged"  // a tombstone without content; see Manifest.Purged and Manifest.Purging
)

// Manifest is the register of one version: what it holds, and where.
type Manifest struct {
	Head
	State   State   `json:"state"`
	Name    string  `json:"name"`
	Version Version `json:"version"`

	// Created is when the save began, by the store's clock.
	Created time.Time `json:"created"`
	// NotAfter is the time until which it was safe to commit this register. If
	// the store dates the register later, packs that it names may be gone, and it
	// is no evidence for them; see Sound. Zero if it names no packs.
	NotAfter time.Time `json:"notAfter,omitzero"`

	// Died is when a purged version was deleted. Of a deleted version, the store's
	// date of the register says that.
	Died time.Time `json:"died,omitzero"`

	// Digest of the content; see Content.Digest.
	Digest Digest `json:"digest"`
	// Size is the sum of the sizes of the files, Count the number of entries.
	Size  int64 `json:"size"`
	Count int   `json:"count"`

	Content   Content   `json:"content,omitzero"`
	Placement Placement `json:"placement,omitzero"`

	// Table is set if the files and the placement do not fit the register. It says
	// where they are stored; ReadTable reads them.
	Table *Table `json:"table,omitzero"`
}

// Content is what a version is, independent of its name, number and place. The
// digest of a version is that of its Content.
type Content struct {
	Class        string         `json:"class,omitzero"`        // type of the value that was saved
	Materializer string         `json:"materializer,omitzero"` // name of the materializer that made the files
	Metadata     jsontext.Value `json:"metadata,omitzero"`     // any JSON value, canonical
	Files        []File         `json:"files,omitempty"`       // by path, ascending
}

// Placement says where the bytes of the files are.
type Placement struct {
	// Inline holds all files, end to end, if there are no packs.
	Inline []byte `json:"inline,omitempty"`
	// Packs hold the chunks of the files. They are in no particular order.
	Packs []Pack `json:"packs,omitempty"`
	// Split lists the chunks of every file that has several.
	Split []split `json:"split,omitempty"`
	// Extents are the places of all chunks of all files, in the order of the
	// files. Each is an index into Packs, an offset, and a number of chunks that
	// are there end to end.
	Extents [][3]int64 `json:"extents,omitempty"`
	// Zstd has an element for each chunk in the same order: the size of its
	// Zstandard frames, or 0 if it is not compressed. It is absent if no chunk is.
	Zstd []int64 `json:"zstd,omitempty"`
}

// split is the list of chunks of one file.
type split struct {
	File   int      `json:"file"` // index into Files
	Sizes  []int64  `json:"sizes"`
	SHA256 []Digest `json:"sha256"`
}

// NewManifest returns an empty live manifest.
func NewManifest(name string, v Version, created time.Time) *Manifest {
	return &Manifest{
		Head: newHead(KindVersion), State: Live, Name: name, Version: v,
		Created: created.UTC().Truncate(time.Millisecond),
	}
}

// Seal computes the fields that follow from the files: Count, Size, Digest, and
// the tables of the placement. Call it before Encode, once the files are complete:
// sorted by path, with their chunks unless the placement is inline. It refuses
// files that are not a tree, since no load could write them.
func (m *Manifest) Seal() error {
	if err := checkFiles(m.Content.Files); err != nil {
		return err
	}
	size, err := totalSize(m.Content.Files)
	if err != nil {
		return err
	}
	m.Count, m.Size = len(m.Content.Files), size
	m.Placement.pack(m.Content.Files)
	if err := newMeter().chargeAll(m.Content.Files, &m.Placement); err != nil {
		return err
	}
	if err := m.Content.canonicalizeMetadata(); err != nil {
		return err
	}
	d, err := m.Content.Digest()
	if err != nil {
		return err
	}
	m.Digest = d
	if compressed(m.Content.Files) {
		m.require(featureZstd)
	}
	return nil
}

// Encode returns the body of the register. If m.Table is set, that is without
// files and placement.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("manifest of %s@%s: %w", m.Name, m.Version, err)
	}
	out := *m
	if out.Table != nil {
		out.Content.Files, out.Placement = nil, Placement{}
	}
	return encode(KindVersion, &out)
}

// Decode reads the body of a version's register. It checks that the register is of
// this name and version, that its tables agree with each other, and that its
// content has its digest. If Table is set, the caller has to read the files with
// ReadTable. Errors are ErrCorrupt or ErrNewer.
func Decode(body []byte, name string, v Version) (*Manifest, error) {
	m := new(Manifest)
	if err := decode(body, KindVersion, m); err != nil {
		return nil, fmt.Errorf("%s@%s: %w", name, v, err)
	}
	err := m.check()
	if err == nil && (m.Name != name || m.Version != v) {
		err = fmt.Errorf("it is the register of %s@%s", m.Name, m.Version)
	}
	switch {
	case err != nil, m.State == Purged:
	case m.Table == nil:
		err = m.unpack()
	case m.Content.Files != nil || !m.Placement.empty():
		err = errors.New("it has both a table and files")
	}
	if err != nil {
		return nil, fmt.Errorf("%s@%s: %w register: %v", name, v, ErrCorrupt, err)
	}
	return m, nil
}

// check checks what does not depend on the tables.
func (m *Manifest) check() error {
	if err := ValidName(m.Name); err != nil {
		return err
	}
	if _, err := ParseVersion(m.Version.String()); err != nil {
		return err
	}
	switch {
	case m.State != Live && m.State != Deleted && m.State != Purged:
		return fmt.Errorf("unknown state %q", m.State)
	case m.Digest == Digest{}:
		return errors.New("no digest")
	case m.Size < 0 || m.Count < 0:
		return errors.New("negative size or count")
	case m.Count > MaxDecoded/costFile:
		return fmt.Errorf("%d files: %w", m.Count, errTooMuch)
	case m.State == Purged:
		return m.checkPurged()
	case !m.Died.IsZero():
		return errors.New("a time of death in a register that is not purged")
	}
	if err := m.checkFeatures(); err != nil {
		return err
	}
	metadata, err := CanonicalMetadata(m.Content.Metadata)
	if err != nil {
		return err
	}
	if !bytes.Equal(metadata, m.Content.Metadata) {
		return errors.New("metadata is not in canonical form")
	}
	if m.Table != nil {
		return m.Table.check()
	}
	return checkPacks(m.Placement.Packs)
}

// Packs returns all packs that the version names, including those that hold its
// table. If Table is set, call ReadTable first.
func (m *Manifest) Packs() []Pack {
	if m.Table == nil {
		return m.Placement.Packs
	}
	return append(m.Table.Packs[:len(m.Table.Packs):len(m.Table.Packs)], m.Placement.Packs...)
}

// Sound reports whether the register is evidence that its packs exist: it is live,
// and was committed before NotAfter. modified is the store's date of the register.
// Without this rule, damage spreads from one late version to others (see
// docs/attacks.md, A23).
func (m *Manifest) Sound(modified time.Time) bool {
	if m.NotAfter.IsZero() && !m.NamesPacks() {
		return m.State == Live // it names no packs
	}
	return m.State == Live && !modified.After(m.NotAfter)
}
