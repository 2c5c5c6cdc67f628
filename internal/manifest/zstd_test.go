package manifest_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

// damagedSizes are made of zstdVector, whose stored sizes are
// [0 40 40 0 600000 0].
func damagedSizes() []damagedTree {
	zstd := func(change func(z []any) []any) func(register) {
		return func(r register) { r.at("placement")["zstd"] = change(r.at("placement")["zstd"].([]any)) }
	}
	put := func(i int, n any) func(register) {
		return zstd(func(z []any) []any { z[i] = n; return z })
	}
	return []damagedTree{
		{"a size missing", zstd(func(z []any) []any { return z[:5] }), "more chunks than stored sizes"},
		{"a size too many", zstd(func(z []any) []any { return append(z, 0) }), "more stored sizes than chunks"},
		{"negative", put(0, -1), "is compressed to -1"},
		{"as large as the chunk", put(1, 100), `chunk of "data-labels" of 100 bytes is compressed to 100`},
		{"larger than the chunk", put(4, 1<<20+1), "of 1048576 bytes is compressed to 1048577"},
		{"beyond all", put(4, int64(1<<63-1)), "is compressed to 9223372036854775807"},
		{"no number", put(1, "40"), "/placement/zstd/1"},
		{"none compressed", zstd(func(z []any) []any { return []any{0, 0, 0, 0, 0, 0} }), "no chunk is compressed"},
		{"past the end of the pack", put(4, 600_001), "past the end of pack"},
		{"left out", func(r register) { delete(r.at("placement"), "zstd") }, "past the end of pack"},
	}
}

func TestDamagedStoredSizes(t *testing.T) {
	m := zstdVector()
	for _, c := range damagedSizes() {
		r := parseRegister(t, encoded(t, zstdVector()))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
		wantCorrupt(t, c.why, err, c.says)
	}
	inline := parseRegister(t, encoded(t, plainVector()))
	inline["requires"] = []any{"zstd"}
	inline.at("placement")["zstd"] = []any{1}
	_, err := manifest.Decode(inline.bytes(t), "my:Model", manifest.Version{Major: 1})
	wantCorrupt(t, "inline", err, "chunks without packs")
}

// The same in a table, which itself may be compressed.
func TestDamagedStoredSizesInTables(t *testing.T) {
	for _, c := range append(damagedSizes(), damagedTree{says: ""}) {
		r := parseRegister(t, encoded(t, zstdVector()))
		if c.damage != nil {
			c.damage(r)
		}
		table := register{"files": r.at("content")["files"], "placement": r["placement"]}.bytes(t)
		m := zstdVector()
		seal(t, m)
		sum := manifest.Sum(table)
		chunk := manifest.Chunk{SHA256: sum, Size: int64(len(table)), Stored: int64(len(table)) / 2}
		m.SetTable(chunk.Size, sum, []manifest.Chunk{chunk}, []manifest.Pack{packOf(1, chunk.Stored, chunk)})
		got, err := manifest.Decode(encoded(t, m), m.Name, m.Version)
		if err != nil {
			t.Fatal(err)
		}
		if n := got.Table.File.Chunks[0].Stored; n != chunk.Stored {
			t.Errorf("the table's chunk has %d bytes, want %d", n, chunk.Stored)
		}
		if c.damage != nil {
			wantCorrupt(t, c.why+" in a table", got.ReadTable(bytes.NewReader(table)), c.says)
			continue
		}
		if err := got.ReadTable(bytes.NewReader(table)); err != nil {
			t.Error(err)
		}
		if !slices.Equal(got.Placement.Zstd, []int64{0, 40, 40, 0, 600_000, 0}) {
			t.Errorf("stored sizes %d", got.Placement.Zstd)
		}
	}
}

// What uses compression says so, or is refused: a program that does not know
// it must not read on.
func TestCompressionIsRequired(t *testing.T) {
	m := zstdVector()
	body := encoded(t, zstdVector())
	if !strings.Contains(string(body), `"requires":["zstd"]`) {
		t.Errorf("not said in %s", body)
	}
	r := parseRegister(t, body)
	delete(r, "requires")
	_, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
	wantCorrupt(t, "not required", err, `does not require "zstd"`)

	// In a table, it is the register that says so.
	seal(t, m)
	table, err := m.EncodeTable()
	if err != nil {
		t.Fatal(err)
	}
	for _, stored := range []int64{0, 100} {
		for _, says := range []bool{true, false} {
			c := manifest.Chunk{SHA256: manifest.Sum(table), Size: int64(len(table)), Stored: stored}
			m := zstdVector()
			seal(t, m)
			m.SetTable(c.Size, c.SHA256, []manifest.Chunk{c}, []manifest.Pack{packOf(1, c.Len(), c)})
			r := parseRegister(t, encoded(t, m))
			if !says {
				delete(r, "requires")
			}
			got, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
			if err == nil {
				err = got.ReadTable(bytes.NewReader(table))
			}
			if (err == nil) != says || err != nil && !errors.Is(err, manifest.ErrCorrupt) {
				t.Errorf("table compressed to %d, required %v: %v", stored, says, err)
			}
		}
	}

	// It is a feature of versions alone.
	s, err := settingsVector().Encode()
	if err != nil {
		t.Fatal(err)
	}
	r = parseRegister(t, s)
	r["requires"] = []any{"zstd"}
	_, err = manifest.DecodeSettings(r.bytes(t))
	wantError(t, err, manifest.ErrNewer, "zstd")
	r = parseRegister(t, body)
	r["requires"] = []any{"zstd", "x"}
	_, err = manifest.Decode(r.bytes(t), m.Name, m.Version)
	wantError(t, err, manifest.ErrNewer, `it uses ["x"]`)
}

// What is left of a purged version takes no feature.
func TestPurgedRequiresNothing(t *testing.T) {
	m := zstdVector()
	m.State = manifest.Deleted
	seal(t, m)
	m.Supersede()
	if body := encodedAs(t, m); !strings.Contains(string(body), `"requires":["zstd"]`) {
		t.Errorf("a tombstone that holds all: %s", body)
	}
	p := m.Purged(vectorTime)
	if body := encodedAs(t, p); strings.Contains(string(body), "requires") {
		t.Errorf("purged: %s", body)
	}
	if len(m.Requires) != 1 {
		t.Error("purging has changed the original")
	}
}

func encodedAs(t *testing.T, m *manifest.Manifest) []byte {
	t.Helper()
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}
