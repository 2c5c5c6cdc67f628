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

// A version register is created live; from there it goes to deleted, and
// perhaps back; once it is too late for that, or at once where somebody purges
// it, to purged. Its number is never used for anything else.
const (
	Live    State = "live"
	Deleted State = "deleted" // a tombstone that still holds the whole manifest
	Purged  State = "purged"  // a tombstone that only says what it was; see Manifest.Purged and Purging
)

// Manifest is the register of one version: what it holds, and where.
type Manifest struct {
	Head
	State   State   `json:"state"`
	Name    string  `json:"name"`
	Version Version `json:"version"`

	// Created is when the save began, by the store's clock.
	Created time.Time `json:"created"`
	// NotAfter is until when committing this register was safe: one that the
	// store dates later may name packs that are gone, and is not to be
	// trusted as evidence for them. Zero if it names none.
	NotAfter time.Time `json:"notAfter,omitzero"`

	// Died is when a purged version was deleted. In a tombstone that still
	// holds its manifest, the store's date of the register says so.
	Died time.Time `json:"died,omitzero"`

	// Digest of the content; see Content.Digest.
	Digest Digest `json:"digest"`
	// Size is the sum of the sizes of the files, Count the number of entries.
	Size  int64 `json:"size"`
	Count int   `json:"count"`

	Content   Content   `json:"content,omitzero"`
	Placement Placement `json:"placement,omitzero"`

	// Table is set in a register whose files and placement would not fit.
	// They are then in the bytes that it describes; see ReadTable.
	Table *Table `json:"table,omitzero"`
}

// Content is what a version is, independent of its name, number and place.
// It is what its digest is made of.
type Content struct {
	Class        string         `json:"class,omitzero"`        // type of the value that was saved
	Materializer string         `json:"materializer,omitzero"` // name of what turned it into files
	Metadata     jsontext.Value `json:"metadata,omitzero"`     // any JSON value, canonical
	Files        []File         `json:"files,omitempty"`       // by path, ascending
}

// Placement tells where the bytes of the files are.
type Placement struct {
	// Inline holds all files, end to end, if there are no packs.
	Inline []byte `json:"inline,omitempty"`
	// Packs that hold the chunks of the files, in no particular order.
	Packs []Pack `json:"packs,omitempty"`
	// Split lists the chunks of every file that is not just one chunk.
	Split []split `json:"split,omitempty"`
	// Extents place the sequence of all chunks of all files: each is an index
	// into Packs, an offset, and how many chunks lie there end to end.
	Extents [][3]int64 `json:"extents,omitempty"`
	// Zstd tells, if any chunk of that sequence is compressed, for each the
	// size of its Zstandard frames, or 0 if it is stored as it is.
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

// Seal fills in what follows from the content and the placement of the
// files: call it once they are complete, before Encode. Files must be sorted
// by path, and their chunks filled in unless the placement is inline. Files
// that are no tree are refused, since nothing could load them.
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

// Encode returns the register's body. Where m.Table is set, files and
// placement are left out.
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

// Decode reads the body of a version register and checks that it is whole:
// that it is this name's and version's, that its tables agree with each
// other, and that its content has its digest. If Table is set, the files are
// still to be read, with ReadTable.
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

// check checks what can be seen without the tables.
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

// Packs returns all packs that the version names, those of its table among
// them. If Table is set, ReadTable comes first.
func (m *Manifest) Packs() []Pack {
	if m.Table == nil {
		return m.Placement.Packs
	}
	return append(m.Table.Packs[:len(m.Table.Packs):len(m.Table.Packs)], m.Placement.Packs...)
}

// Sound reports whether the register may serve as evidence that its packs
// are there: it is live, and was committed in time. modified is when the
// store put it.
func (m *Manifest) Sound(modified time.Time) bool {
	if m.NotAfter.IsZero() && !m.NamesPacks() {
		return m.State == Live // it names none
	}
	return m.State == Live && !modified.After(m.NotAfter)
}
