package manifest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// Table says where the files and the placement of a large manifest are stored: as
// JSON, the table, in chunks like a file. The packs of the table are packs of the
// version like all others.
type Table struct {
	File  File // size and digest of the table, and its chunks
	Packs []Pack
}

// tableJSON is a Table in a register: it looks like an object with one file.
type tableJSON struct {
	File      File      `json:"file"`
	Placement Placement `json:"placement"`
}

// tablePath is the Path of a Table's File.
const tablePath = "table.json"

// MarshalJSON implements json.Marshaler.
func (t *Table) MarshalJSON() ([]byte, error) {
	j := tableJSON{File: t.File, Placement: Placement{Packs: t.Packs}}
	j.Placement.pack([]File{t.File})
	return json.Marshal(&j)
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Table) UnmarshalJSON(b []byte) error {
	var j tableJSON
	if err := json.Unmarshal(b, &j, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	files := []File{j.File}
	if len(j.Placement.Inline) > 0 {
		return errors.New("table is inline")
	}
	if err := checkPacks(j.Placement.Packs); err != nil {
		return err
	}
	if err := j.Placement.cut(files); err != nil {
		return err
	}
	if err := j.Placement.shrink(files); err != nil {
		return err
	}
	if err := j.Placement.place(files); err != nil {
		return err
	}
	t.File, t.Packs = files[0], j.Placement.Packs
	return t.check()
}

func (t *Table) check() error {
	f := &t.File
	switch {
	case f.Path != tablePath || !f.Regular() || f.Exec:
		return fmt.Errorf("table is not a plain file called %q", tablePath)
	case f.Size <= 0 || f.SHA256 == Digest{} || len(t.Packs) == 0 || len(f.Chunks) == 0:
		return errors.New("table has no bytes, or no place")
	case f.Size > maxTableSize:
		return fmt.Errorf("table of %d bytes, the limit is %d; save fewer files in one object", f.Size, maxTableSize)
	}
	return nil
}

// tables is the content of a table.
type tables struct {
	Files     []File    `json:"files"`
	Placement Placement `json:"placement"`
}

// EncodeTable returns the bytes of the table of m. A save stores them in chunks if
// the register would exceed MaxTable. Call Seal first.
func (m *Manifest) EncodeTable() ([]byte, error) {
	b, err := marshal(&tables{m.Content.Files, m.Placement})
	if err == nil && len(b) > maxTableSize {
		err = fmt.Errorf("%d files make a table of %d bytes, the limit is %d; save fewer files in one object", m.Count, len(b), maxTableSize)
	}
	return b, err
}

// SetTable makes m refer to a table that is stored in chunks: its size in bytes,
// its SHA-256, its chunks and their packs.
func (m *Manifest) SetTable(size int64, sum Digest, chunks []Chunk, packs []Pack) {
	m.Table = &Table{
		File:  File{Path: tablePath, Size: size, SHA256: sum, Chunks: chunks},
		Packs: packs,
	}
	if compressed([]File{m.Table.File}) {
		m.require(featureZstd)
	}
}

// ReadTable sets the files and the placement of a manifest whose Table is set, from
// the table's bytes. It checks them as Decode does. Of a purged manifest it sets
// only the packs. An error of r is returned with the version; any other error is
// ErrCorrupt.
//
// The bytes are decoded as they are read. The memory that this takes is limited:
// see MaxDecoded.
func (m *Manifest) ReadTable(r io.Reader) error {
	in := &tableReader{r: r, sum: sha256.New()}
	t, err := in.decode(m.Table.File.Size, m.Count, newMeter())
	if in.err != nil && in.err != io.EOF {
		return fmt.Errorf("table of %s@%s: %w", m.Name, m.Version, in.err)
	}
	switch {
	case in.n != m.Table.File.Size || Digest(in.sum.Sum(nil)) != m.Table.File.SHA256:
		err = errors.New("it does not have its digest")
	case err == nil && m.State == Purged: // only its packs are of use
		if err = checkPacks(t.Placement.Packs); err == nil {
			m.Placement.Packs = t.Placement.Packs
			return nil
		}
	case err == nil:
		m.Content.Files, m.Placement = t.Files, t.Placement
		if err = m.checkFeatures(); err == nil {
			err = m.unpack()
		}
	}
	if err != nil {
		m.Content.Files, m.Placement = nil, Placement{}
		return fmt.Errorf("%s@%s: %w table: %v", m.Name, m.Version, ErrCorrupt, err)
	}
	return nil
}
