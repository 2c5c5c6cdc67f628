package manifest_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
)

// A purged register names nothing any more: garbage collection takes it at
// its word.
func TestDamagedPurgedRegister(t *testing.T) {
	for _, c := range []struct {
		why    string
		damage func(register)
		says   string
	}{
		{"content", func(r register) { r["content"] = map[string]any{"class": "x"} }, "with content"},
		{"files", func(r register) {
			r["content"] = map[string]any{"files": []any{map[string]any{"path": "d", "dir": true}}}
		}, "with content"},
		{"inline bytes", func(r register) { r["placement"] = map[string]any{"inline": "aGk="} }, "with a placement"},
		{"notAfter", func(r register) { r["notAfter"] = "2025-01-02T03:04:05Z" }, "with a placement"},
		{"no time of death", func(r register) { delete(r, "died") }, "without a time of death"},
		{"no digest", func(r register) { delete(r, "digest") }, "no digest"},
		{"negative size", func(r register) { r["size"] = -1 }, "negative"},
		{"live", func(r register) { r["state"] = "live" }, "not purged"},
		{"deleted", func(r register) { r["state"] = "deleted" }, "not purged"},
	} {
		m := purgedVector(t)
		r := parseRegister(t, encoded(t, m))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
		wantCorrupt(t, c.why, err, c.says)
	}
}

// A register that was just purged names packs and nothing else, and says that
// it takes a program that knows of this.
func TestDamagedPurgingRegister(t *testing.T) {
	for _, c := range []struct {
		why    string
		damage func(register)
		says   string
	}{
		{"not required", func(r register) { delete(r, "requires") }, `does not require "purge"`},
		{"another requirement", func(r register) { r["requires"] = []any{"zstd"} }, `does not require "purge"`},
		{"metadata", func(r register) { r["content"] = map[string]any{"metadata": 1} }, "with content"},
		{"extents", func(r register) { r.at("placement")["extents"] = []any{[]any{0, 0, 1}} }, "with a placement"},
		{"inline bytes", func(r register) { r.at("placement")["inline"] = "aGk=" }, "with a placement"},
		{"notAfter", func(r register) { r["notAfter"] = "2025-01-02T03:04:05Z" }, "with a placement"},
		{"a pack without a size", func(r register) { r.at("placement")["packs"].([]any)[0].(map[string]any)["size"] = 0 }, "has size 0"},
		{"no time of death", func(r register) { delete(r, "died") }, "without a time of death"},
		{"deleted", func(r register) { r["state"] = "deleted" }, "not purged"},
	} {
		m := purgingVector(t)
		r := parseRegister(t, encodedAs(t, m))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
		wantCorrupt(t, c.why, err, c.says)
	}
}

// With a table, its packs and those that it names are known once it is read.
func TestPurgingTable(t *testing.T) {
	for _, stored := range []int64{0, 100} {
		m := zstdVector()
		seal(t, m)
		table, err := m.EncodeTable()
		if err != nil {
			t.Fatal(err)
		}
		c := manifest.Chunk{SHA256: manifest.Sum(table), Size: int64(len(table)), Stored: stored}
		m.SetTable(c.Size, c.SHA256, []manifest.Chunk{c}, []manifest.Pack{packOf(1, c.Len(), c)})
		p := m.Purging(vectorTime)
		got, err := manifest.Decode(encodedAs(t, p), m.Name, m.Version)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Packs()) != 1 || !got.NamesPacks() {
			t.Errorf("before the table is read it names %v", got.Packs())
		}
		wantCorrupt(t, "another table", got.ReadTable(bytes.NewReader(table[1:])), "digest")
		if err := got.ReadTable(bytes.NewReader(table)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Packs(), m.Packs()) || got.Content.Files != nil {
			t.Errorf("it names %v, want %v", got.Packs(), m.Packs())
		}
		r := parseRegister(t, encodedAs(t, p))
		r["placement"] = map[string]any{"packs": parseRegister(t, encoded(t, packsVector())).at("placement")["packs"]}
		_, err = manifest.Decode(r.bytes(t), m.Name, m.Version)
		wantCorrupt(t, "table and packs", err, "both a table and packs")
		if stored > 0 {
			r := parseRegister(t, encodedAs(t, p))
			r["requires"] = []any{"purge"}
			_, err = manifest.Decode(r.bytes(t), m.Name, m.Version)
			wantCorrupt(t, "compressed table", err, `does not require "zstd"`)
		}
	}
}

// A version without packs leaves nothing that anybody has to know of.
func TestPurgingInline(t *testing.T) {
	m := plainVector()
	seal(t, m)
	p := m.Purging(vectorTime)
	if p.NamesPacks() || len(p.Requires) > 0 || !bytes.Equal(encodedAs(t, p), encodedAs(t, m.Purged(vectorTime))) {
		t.Errorf("left is %s", encodedAs(t, p))
	}
}

func TestPurgedIsNoEvidence(t *testing.T) {
	m := purgedVector(t)
	if m.Sound(vectorTime) || len(m.Packs()) > 0 {
		t.Error("a purged register is evidence for packs")
	}
	if !m.Died.Equal(vectorTime.Add(time.Hour)) {
		t.Errorf("it died %s", m.Died)
	}
}

func TestDamagedCollection(t *testing.T) {
	for why, damage := range map[string]func(register){
		"report that is no object": func(r register) { r["report"] = 1 },
		"report without a start":   func(r register) { delete(r, "started") },
		"unknown member":           func(r register) { r["color"] = "red" },
		"another kind":             func(r register) { r["kind"] = "version" },
	} {
		t.Run(why, func(t *testing.T) {
			body, err := collectionVector().Encode()
			if err != nil {
				t.Fatal(err)
			}
			r := parseRegister(t, body)
			damage(r)
			_, err = manifest.DecodeCollection(r.bytes(t))
			wantError(t, err, manifest.ErrCorrupt, "")
		})
	}
}
