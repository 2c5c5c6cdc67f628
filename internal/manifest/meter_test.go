package manifest

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"
)

// A writer counts to the byte what a reader will count: otherwise it would save,
// near the limit, what nobody can load.
func TestWritersCountWhatReadersCount(t *testing.T) {
	file := func(path string, sizes ...int64) File {
		f := File{Path: path}
		for i, n := range sizes {
			f.Chunks = append(f.Chunks, Chunk{Size: n, SHA256: Sum([]byte{byte(i)}), Offset: f.Size})
			f.Size += n
		}
		f.SHA256 = noBytes
		if len(sizes) > 0 {
			f.SHA256 = f.Chunks[0].SHA256
		}
		return f
	}
	compressed := file("f", 1000, 2000)
	compressed.Chunks[1].Stored = 500
	compressed.Chunks[1].Offset = 1000
	small := File{Path: "a", Size: 3, SHA256: Sum([]byte("abc"))}
	for name, files := range map[string][]File{
		"empty":      {file("f")},
		"directory":  {{Path: "d", Dir: true}, {Path: "l", Link: "d"}},
		"one chunk":  {file("f", 10)},
		"chunks":     {file("f", 10, 20, 30)},
		"both":       {file("e"), file("f", 10), file("g", 20, 30)},
		"compressed": {compressed},
		"inline":     {small},
	} {
		m := NewManifest("m", Version{Major: 1}, time.Unix(1e9, 0))
		m.Content.Files = files
		if name == "inline" {
			m.Placement.Inline = []byte("abc")
		} else {
			m.Placement.Packs = []Pack{{Size: 1 << 20}}
		}
		if err := m.Seal(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wrote, read := newMeter(), newMeter()
		if err := wrote.chargeAll(m.Content.Files, &m.Placement); err != nil {
			t.Fatal(err)
		}
		table, err := m.EncodeTable()
		if err != nil {
			t.Fatal(err)
		}
		in := &tableReader{r: bytes.NewReader(table), sum: sha256.New()}
		if _, err := in.decode(int64(len(table)), m.Count, read); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if wrote.left != read.left || read.left == MaxDecoded {
			t.Errorf("%s: the writer counts %d, the reader %d", name, MaxDecoded-wrote.left, MaxDecoded-read.left)
		}
	}
}
