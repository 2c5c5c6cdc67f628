package manifest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// The vectors in testdata pin the format: another implementation can be
// checked against them, and a change of the format shows as a change of them.
// Nonces and times are fixed, so that "go test -update" writes the same again.

var vectorTime = time.Date(2025, 1, 2, 3, 4, 5, 678e6, time.UTC)

func nonce(digit string) manifest.Nonce { return manifest.Nonce(strings.Repeat(digit, 32)) }

func vectorHead(kind, digit string) manifest.Head {
	return manifest.Head{Kind: kind, Format: 1, Nonce: nonce(digit)}
}

func settingsVector() *manifest.Settings {
	return &manifest.Settings{
		Head: vectorHead(manifest.KindSettings, "1"), ID: nonce("a"), Created: vectorTime, Unversioned: true,
		Times: manifest.DefaultTimes, Probed: vectorTime,
	}
}

// rawMetadata is as a user may give it: neither sorted nor canonical.
const rawMetadata = `{
	"accuracy": 0.9750, "tiny": 1E-7, "large": 1e21, "count": 9007199254740992, "zero": -0,
	"labels": ["Stra\u00dfe", "\u65e5\u672c", "\ud83d\ude00", "tab\tquote\"\u0001"],
	"nested": {"b": {"z": null, "a": [true, false, {}]}, "a": []},
	"\ufb33": "after the next, in UTF-16", "\ud83d\ude00": "before it", "\u20ac": 1, "\r": 2, "1": 3, "</script>": 4, "": 5
}`

func inlineVector() *manifest.Manifest {
	const a, b = "hello\n", "{}"
	return &manifest.Manifest{
		Head: vectorHead(manifest.KindVersion, "2"), State: manifest.Live,
		Name: "my:Model", Version: manifest.Version{Major: 1}, Created: vectorTime,
		Content: manifest.Content{
			Class: "example.com/vision.Net", Materializer: "json", Metadata: []byte(rawMetadata),
			Files: []manifest.File{
				{Path: "config.json", Size: int64(len(b)), SHA256: manifest.Sum([]byte(b))},
				{Path: "greeting.txt", Size: int64(len(a)), SHA256: manifest.Sum([]byte(a))},
			},
		},
		Placement: manifest.Placement{Inline: []byte(b + a)},
	}
}

// chunkOf is a chunk whose bytes are not there.
func chunkOf(name string, size int64, pack int, offset int64) manifest.Chunk {
	return manifest.Chunk{SHA256: manifest.Sum([]byte("chunk " + name)), Size: size, Pack: pack, Offset: offset}
}

func packOf(era uint64, size int64, chunks ...manifest.Chunk) manifest.Pack {
	var sums []byte
	for _, c := range chunks {
		sums = append(sums, c.SHA256[:]...)
	}
	return manifest.Pack{Era: era, ID: manifest.Sum(sums), Size: size}
}

// packsVector is a tree with every kind of entry, in two packs: a file of
// three chunks, of which the last is in an older pack, one chunk that two
// files share, and places that continue each other across files.
func packsVector() *manifest.Manifest {
	w1, w2 := chunkOf("w1", 4<<20, 0, 300), chunkOf("w2", 1<<20, 0, 300+4<<20)
	old := chunkOf("old", 300_000, 1, 5_000_000)
	label, run := chunkOf("label", 100, 0, 200), chunkOf("run", 200, 0, 0)
	one := func(path string, c manifest.Chunk) manifest.File {
		return manifest.File{Path: path, Size: c.Size, SHA256: c.SHA256, Chunks: []manifest.Chunk{c}}
	}
	script := one("bin/run", run)
	script.Exec = true
	return &manifest.Manifest{
		Head: vectorHead(manifest.KindVersion, "3"), State: manifest.Live,
		Name: "team-a:vision:net", Version: manifest.Version{Major: 1, Minor: 10, Patch: 0, Pre: "rc.1"},
		Created: vectorTime, NotAfter: vectorTime.Add(24 * time.Hour),
		Content: manifest.Content{
			Class: "directory", Materializer: "dir",
			Files: []manifest.File{
				script,
				one("data-labels", label),
				one("data/labels", label),
				{Path: "data/latest", Link: "../data-labels"},
				{Path: "data/none", SHA256: manifest.Sum(nil)},
				{Path: "logs", Dir: true},
				{Path: "weights.bin", Size: 4<<20 + 1<<20 + 300_000, SHA256: manifest.Sum([]byte("weights")), Chunks: []manifest.Chunk{w1, w2, old}},
			},
		},
		Placement: manifest.Placement{Packs: []manifest.Pack{
			packOf(2869, 300+5<<20, run, label, w1, w2),
			packOf(2868, 16<<20, chunkOf("other", 5_000_000, 1, 0), old),
		}},
	}
}

// zstdVector is packsVector with two chunks compressed, one of them that of
// two files.
func zstdVector() *manifest.Manifest {
	m := packsVector()
	m.Nonce = nonce("a")
	files := m.Content.Files
	w := files[6].Chunks
	for i := 1; i <= 2; i++ {
		files[i].Chunks[0].Stored = 40
	}
	w[0].Offset, w[1].Offset, w[1].Stored = 240, 240+4<<20, 600_000
	frame := func(name string) manifest.Chunk {
		return manifest.Chunk{SHA256: manifest.Sum([]byte("frame of " + name))}
	}
	m.Placement.Packs[0] = packOf(2869, 240+4<<20+600_000, files[0].Chunks[0], frame("label"), w[0], frame("w2"))
	return m
}

// deletedVector is packsVector after two changes: it was deleted, brought
// back, and deleted again.
func deletedVector() *manifest.Manifest {
	m := packsVector()
	m.State = manifest.Deleted
	m.Prev = []manifest.Nonce{nonce("5"), nonce("4"), m.Nonce}
	m.Nonce = nonce("6")
	m.NotAfter = vectorTime.Add(7 * 24 * time.Hour)
	return m
}

// purgedVector is deletedVector after it was too late to bring it back.
func purgedVector(t testing.TB) *manifest.Manifest {
	m := deletedVector()
	seal(t, m)
	m = m.Purged(vectorTime.Add(time.Hour))
	m.Prev = append([]manifest.Nonce{m.Nonce}, m.Prev...)
	m.Nonce = nonce("8")
	return m
}

// purgingVector is deletedVector after it was deleted for good before that.
func purgingVector(t testing.TB) *manifest.Manifest {
	m := deletedVector()
	seal(t, m)
	m = m.Purging(vectorTime.Add(time.Hour))
	m.Prev = append([]manifest.Nonce{m.Nonce}, m.Prev...)
	m.Nonce = nonce("b")
	return m
}

func collectionVector() *manifest.Collection {
	return &manifest.Collection{
		Head: vectorHead(manifest.KindCollection, "9"), Started: vectorTime,
		Report: []byte(`{"freed":{"packs":1,"bytes":2}}`),
	}
}

// tableVector is packsVector with its tables in a pack of their own.
func tableVector(t testing.TB) (m *manifest.Manifest, table []byte) {
	m = packsVector()
	m.Nonce = nonce("7")
	seal(t, m)
	table, err := m.EncodeTable()
	if err != nil {
		t.Fatal(err)
	}
	c := manifest.Chunk{SHA256: manifest.Sum(table), Size: int64(len(table))}
	m.SetTable(c.Size, c.SHA256, []manifest.Chunk{c}, []manifest.Pack{packOf(2869, c.Size, c)})
	return m, table
}

func seal(t testing.TB, m *manifest.Manifest) *manifest.Manifest {
	t.Helper()
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	return m
}

// golden compares a file of testdata with what it should be, or writes it.
func golden(t *testing.T, name string, want []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, want, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed (-file +now):\n%s", file, cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")))
	}
}

// registerVector says what is in a file of testdata.
type registerVector struct {
	File    string           `json:"file"`
	Table   string           `json:"table,omitempty"` // the file with the table
	Key     string           `json:"key"`
	Name    string           `json:"name"`
	Version manifest.Version `json:"version"`
	Digest  string           `json:"digest"`
	Content string           `json:"content"` // what the digest is of
	Packs   []string         `json:"packs"`   // keys
	Chunks  []placedChunk    `json:"chunks"`
}

// placedChunk is where a chunk of a file is once the placement is read.
type placedChunk struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Pack   int    `json:"pack"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	Stored int64  `json:"stored,omitempty"` // size of its frames, if it is compressed
}

func TestVectors(t *testing.T) {
	body, err := settingsVector().Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "settings.json", body)
	if got, err := manifest.DecodeSettings(body); err != nil || !cmp.Equal(got, settingsVector()) {
		t.Errorf("settings are read as %+v, %v", got, err)
	}
	checkPurgedVectors(t)
	large, table := tableVector(t)
	golden(t, "table-content.json", table)
	var registers []registerVector
	for _, v := range []struct {
		file string
		m    *manifest.Manifest
	}{
		{"inline.json", seal(t, inlineVector())},
		{"packs.json", seal(t, packsVector())},
		{"deleted.json", seal(t, deletedVector())},
		{"table.json", large},
		{"zstd.json", seal(t, zstdVector())},
	} {
		registers = append(registers, checkVector(t, v.file, v.m, table))
	}
	if registers[1].Digest != registers[2].Digest || registers[1].Digest != registers[3].Digest || registers[1].Digest != registers[4].Digest {
		t.Error("the same content has different digests")
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "\t")
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{
		"registers": registers, "versions": versionVectors(t), "names": nameVectors(t), "metadata": metadataVectors(t),
	}); err != nil {
		t.Fatal(err)
	}
	golden(t, "vectors.json", out.Bytes())
}

// checkPurgedVectors compares the registers that hold no content.
func checkPurgedVectors(t *testing.T) {
	t.Helper()
	for file, m := range map[string]*manifest.Manifest{"purged.json": purgedVector(t), "purging.json": purgingVector(t)} {
		body, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, file, body)
		got, err := manifest.Decode(body, m.Name, m.Version)
		if err != nil || diff(m, got) != "" {
			t.Errorf("%s is read as %+v, %v", file, got, err)
		}
	}
	c := collectionVector()
	body, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "collection.json", body)
	if got, err := manifest.DecodeCollection(body); err != nil || !cmp.Equal(got, c) {
		t.Errorf("a collection is read as %+v, %v", got, err)
	}
}

// checkVector compares the file of one register, reads it back, and checks
// its digest by the other path.
func checkVector(t *testing.T, file string, m *manifest.Manifest, table []byte) registerVector {
	t.Helper()
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, file, body)
	got, err := manifest.Decode(body, m.Name, m.Version)
	if err != nil {
		t.Fatal(err)
	}
	v := registerVector{
		File: file, Key: manifest.VersionKey(m.Name, m.Version), Name: m.Name, Version: m.Version, Digest: m.Digest.String(),
	}
	if m.Table != nil {
		v.Table = "table-content.json"
		if err := got.ReadTable(bytes.NewReader(table)); err != nil {
			t.Fatal(err)
		}
	}
	if d := diff(m, got); d != "" {
		t.Errorf("%s is read differently (-want +got):\n%s", file, d)
	}
	for _, p := range got.Packs() {
		v.Packs = append(v.Packs, p.Key())
	}
	for _, f := range got.Content.Files {
		for _, c := range f.Chunks {
			v.Chunks = append(v.Chunks, placedChunk{f.Path, c.SHA256.Hex(), c.Pack, c.Offset, c.Size, c.Stored})
		}
	}
	content := contentMap(&m.Content)
	if file == "inline.json" {
		content["metadata"] = json.RawMessage(rawMetadata) // as it was given
	}
	canonical, digest := canonicalContent(t, content)
	v.Content = string(canonical)
	if digest != m.Digest {
		t.Errorf("%s has the digest %s, another implementation has %s", file, m.Digest, digest)
	}
	return v
}

func versionVectors(t *testing.T) []map[string]string {
	t.Helper()
	var out []map[string]string
	for _, s := range []string{ // in ascending order
		"0.0.0", "0.0.1-0", "0.0.1", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0--", "1.0.0-A", "1.0.0-B-1", "1.0.0-Z", "1.0.0-alpha",
		"1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-rc", "1.0.0-rc.1", "1.0.0-rc.1.x", "1.0.0-rc-1", "1.0.0-rc1", "1.0.0",
		"1.9.1", "1.10.0", "2.0.0", "10.0.0", "99.99.99", "100.0.0", "12345.678.9", "9223372036854775807.9223372036854775807.9223372036854775807",
	} {
		v, err := manifest.ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out); n > 0 && out[n-1]["key"] >= v.Key() {
			t.Errorf("the key %q of %s is not greater than %q", v.Key(), v, out[n-1]["key"])
		}
		out = append(out, map[string]string{"version": v.String(), "key": v.Key()})
	}
	return out
}

func nameVectors(t *testing.T) []map[string]string {
	t.Helper()
	var out []map[string]string
	for _, name := range []string{"a", "A", "my:model", "My:Model", "team-a:vision.v2:ResNet-50", "CON", "a:b:c"} {
		if err := manifest.ValidName(name); err != nil {
			t.Error(err)
		}
		out = append(out, map[string]string{"name": name, "segment": store.Escape(name)})
	}
	return out
}

func metadataVectors(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, in := range []string{
		rawMetadata, "null", " {}", "[]", "1.0", "-0", "1e21", "1e-7", `"\u20ac"`, "9007199254740992",
		"9007199254740993", "1e999", `{"a":1,"a":2}`, `"\ud800"`, "{} {}",
	} {
		canonical, err := manifest.CanonicalMetadata([]byte(in))
		switch {
		case err != nil:
			out = append(out, map[string]any{"in": in, "refused": true})
		case canonical == nil:
			out = append(out, map[string]any{"in": in, "none": true})
		default:
			out = append(out, map[string]any{"in": in, "canonical": string(canonical)})
		}
	}
	return out
}
