package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// nested returns JSON that is nested so deep.
func nested(depth int, open, end string) string {
	return strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth)
}

// Metadata and reports are nested no deeper than the format says: neither is it
// written, nor read.
func TestDepth(t *testing.T) {
	for name, c := range map[string][2]string{"arrays": {"[", "]"}, "objects": {`{"a":`, "}"}, "both": {`[{"]":"[\"[{","a":`, "}]"}} {
		most := manifest.MaxDepth
		if name == "both" {
			most /= 2
		}
		for _, depth := range []int{0, 1, most, most + 1, 90 * most} {
			value := jsontext.Value(nested(depth, c[0], c[1])) // in canonical form
			m := packsVector()
			m.Content.Metadata = value
			err := m.Seal()
			if depth > most {
				if err == nil || !strings.Contains(err.Error(), "nested") {
					t.Errorf("%s nested %d deep are written: %v", name, depth, err)
				}
				r := parseRegister(t, encoded(t, packsVector()))
				r.at("content")["metadata"] = "here"
				body := bytes.Replace(r.bytes(t), []byte(`"here"`), value, 1)
				_, err := manifest.Decode(body, m.Name, m.Version)
				wantCorrupt(t, fmt.Sprintf("%s nested %d deep", name, depth), err, "nested")
			} else if err != nil {
				t.Errorf("%s nested %d deep: %v", name, depth, err)
			}
			if c[0][0] != '{' {
				continue
			}
			marker := manifest.NewCollection()
			marker.Started, marker.Report = time.Unix(1e9, 0), value
			if _, err := marker.Encode(); depth > 0 && (err != nil) != (depth > most) {
				t.Errorf("a report nested %d deep: %v", depth, err)
			}
		}
	}
}

// A register is no larger than its kind may be, whatever is in it.
func TestRegistersHaveALimit(t *testing.T) {
	v := packsVector()
	decode := func(body []byte) error { _, err := manifest.Decode(body, v.Name, v.Version); return err }
	body := encoded(t, v)
	pad := func(n int) []byte { return append(bytes.Clone(body), bytes.Repeat([]byte(" "), n-len(body))...) }
	if err := decode(pad(manifest.MaxRegister)); err != nil {
		t.Error(err)
	}
	wantCorrupt(t, "a byte more", decode(pad(manifest.MaxRegister+1)), "the limit is")
	for kind, decode := range map[string]func([]byte) error{
		"settings":   func(b []byte) error { _, err := manifest.DecodeSettings(b); return err },
		"tag":        func(b []byte) error { _, err := manifest.DecodeTag(b, "m", "t"); return err },
		"lock":       func(b []byte) error { _, err := manifest.DecodeLock(b, "m", false); return err },
		"collection": func(b []byte) error { _, err := manifest.DecodeCollection(b); return err },
	} {
		large := append([]byte(`{"kind":"`+kind+`","format":1}`), bytes.Repeat([]byte(" "), manifest.MaxSmall)...)
		if err := decode(large); !errors.Is(err, manifest.ErrCorrupt) || !strings.Contains(err.Error(), "the limit is") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	marker := manifest.NewCollection()
	marker.Started, marker.Report = time.Unix(1e9, 0), jsontext.Value(`{"a":"`+strings.Repeat("x", manifest.MaxSmall)+`"}`)
	if _, err := marker.Encode(); err == nil {
		t.Error("a marker that nobody reads is written")
	}
}

// What was written may be changed: the largest register that a writer puts has
// room for all that deleting it and bringing it back adds.
func TestTheLargestRegisterCanBeDeleted(t *testing.T) {
	m := manifest.NewManifest("m", manifest.Version{Major: 1}, time.Unix(1e9, 0))
	m.Content.Metadata = jsontext.Value(`"` + strings.Repeat("x", manifest.MaxMetadata-2) + `"`)
	for i := 0; ; i++ {
		m.Content.Files = append(m.Content.Files, manifest.File{Path: fmt.Sprintf("%08d", i), Dir: true})
		if 38*i+manifest.MaxMetadata > manifest.MaxTable-1000 {
			break
		}
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		m.Supersede()
	}
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Decode(body, m.Name, m.Version); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes", len(body))
}

// The largest tags and locks fit their registers.
func TestTheLargestSmallRegisters(t *testing.T) {
	v := manifest.Version{Major: math.MaxInt64, Minor: math.MaxInt64, Patch: math.MaxInt64}
	tag := manifest.NewTag("m", strings.Repeat("t", manifest.MaxTag), v, manifest.Sum(nil))
	for range 2 * manifest.MaxMoves {
		tag = tag.Move(manifest.Deleted, v, manifest.Sum(nil), time.Unix(1e9, 123e6))
	}
	if _, err := tag.Encode(); err != nil {
		t.Error(err)
	}
	lock := manifest.NewLock("m", manifest.LockFree)
	text := func(n int) string { return strings.Repeat("\x01", n) } // six bytes each in JSON
	lock.Owner = manifest.LockOwner{Host: text(255), User: text(255), Why: text(manifest.MaxLockWhy)}
	lock.BrokenBy, lock.Epoch, lock.TTL = &lock.Owner, manifest.MaxEpoch, 1
	if _, err := lock.Encode(); err != nil {
		t.Error(err)
	}
}

// tableOf returns a sealed manifest with a table, and that table.
func tableOf(t *testing.T, files []manifest.File) (*manifest.Manifest, []byte) {
	m := manifest.NewManifest("m", manifest.Version{Major: 1}, time.Unix(1e9, 0))
	m.Content.Files = files
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	table, err := m.EncodeTable()
	if err != nil {
		t.Fatal(err)
	}
	m.SetTable(int64(len(table)), manifest.Sum(table), []manifest.Chunk{{Size: 1}}, []manifest.Pack{{Size: 1}})
	m.Content.Files = nil
	return m, table
}

func emptyDirs(n int) []manifest.File {
	files := make([]manifest.File, n)
	for i := range files {
		files[i] = manifest.File{Path: fmt.Sprintf("%07x", i), Dir: true}
	}
	return files
}

// A table says how many files it has, and not more are read.
func TestTableOfMoreFilesThanItSays(t *testing.T) {
	m, table := tableOf(t, emptyDirs(1000))
	m.Count = 10
	took := allocated(func() {
		wantCorrupt(t, "too many", m.ReadTable(bytes.NewReader(table)), "more than the 10 files")
	})
	if took > 1<<20 {
		t.Errorf("it took %d bytes", took)
	}
}

// Writers do not write what readers refuse, and what they refuse first is not
// decoded to the end.
func TestFilesHaveALimit(t *testing.T) {
	long := strings.Repeat("x", 4000)
	n := manifest.MaxDecoded/4128 + 1
	files := make([]manifest.File, n)
	for i := range files {
		files[i] = manifest.File{Path: fmt.Sprintf("%08x", i) + long, Dir: true}
	}
	m := manifest.NewManifest("m", manifest.Version{Major: 1}, time.Unix(1e9, 0))
	m.Content.Files = files
	if err := m.Seal(); err == nil || !strings.Contains(err.Error(), "save fewer files") {
		t.Errorf("sealed: %v", err)
	}
	m.Content.Files, m.Placement = emptyDirs(1), manifest.Placement{Packs: make([]manifest.Pack, manifest.MaxDecoded/96)}
	if err := m.Seal(); err == nil || !strings.Contains(err.Error(), "save fewer files") {
		t.Errorf("sealed with so many packs: %v", err)
	}
	r := parseRegister(t, encoded(t, packsVector()))
	r["count"] = manifest.MaxDecoded
	_, err := manifest.Decode(r.bytes(t), "team-a:vision:net", packsVector().Version)
	wantCorrupt(t, "count", err, "save fewer files")
}

// Whatever is in a table, what decoding it takes grows with its bytes and not
// faster, and ends at the limit.
func TestTablesTakeMemoryInProportion(t *testing.T) {
	fill := func(text string) func(n int) string {
		return func(n int) string { return strings.TrimSuffix(strings.Repeat(text+",", n), ",") }
	}
	table := func(format string, elements func(int) string) func(int) string {
		return func(n int) string { return fmt.Sprintf(format, elements(n)) }
	}
	sum := `"` + strings.Repeat("a", 64) + `"`
	for name, write := range map[string]func(n int) string{
		"files":         table(`{"files":[%s],"placement":{}}`, fill(`{"path":"a"}`)),
		"packs":         table(`{"files":[],"placement":{"packs":[%s]}}`, fill(`{}`)),
		"extents":       table(`{"files":[],"placement":{"extents":[%s]}}`, fill(`[0,0,0]`)),
		"splits":        table(`{"files":[],"placement":{"split":[%s]}}`, fill(`{}`)),
		"sizes":         table(`{"files":[],"placement":{"split":[{"sizes":[%s]}]}}`, fill(`1`)),
		"digests":       table(`{"files":[],"placement":{"split":[{"sha256":[%s]}]}}`, fill(sum)),
		"stored sizes":  table(`{"files":[],"placement":{"zstd":[%s]}}`, fill(`0`)),
		"unknown":       table(`{"files":[],"x":[%s]}`, fill(`0`)),
		"blanks":        func(n int) string { return `{"files":[` + strings.Repeat(" ", 10*n) },
		"one long path": func(n int) string { return `{"files":[{"path":"` + strings.Repeat("x", 10*n) },
	} {
		cost := func(n int) (stored, took uint64) {
			body := []byte(write(n))
			m, _ := tableOf(t, nil)
			m.Count = n
			m.Table.File.Size, m.Table.File.SHA256 = int64(len(body)), manifest.Sum(body)
			took = allocated(func() {
				if err := m.ReadTable(bytes.NewReader(body)); !errors.Is(err, manifest.ErrCorrupt) {
					t.Errorf("%s: %v", name, err)
				}
			})
			return uint64(len(body)), took
		}
		const n = 50_000
		_, once := cost(n)
		stored, twice := cost(2 * n)
		if twice > 3*once+1<<20 || twice > 400*stored {
			t.Errorf("%s: %d take %d bytes, twice as many take %d, for %d bytes", name, n, once, twice, stored)
		}
	}
}

// A table that cannot be read is not damaged, and one that is longer than it
// says is.
func TestTableThatEndsEarly(t *testing.T) {
	m, table := tableOf(t, emptyDirs(100))
	for _, cut := range []int{0, 1, len(table) / 2, len(table) - 1} {
		broken := errors.Join(errors.New("the network is gone"), store.ErrUnavailable)
		err := m.ReadTable(io.MultiReader(bytes.NewReader(table[:cut]), iotest.ErrReader(broken)))
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, manifest.ErrCorrupt) {
			t.Errorf("cut at %d: %v", cut, err)
		}
		wantCorrupt(t, "short", m.ReadTable(bytes.NewReader(table[:cut])), "does not have its digest")
	}
	wantCorrupt(t, "long", m.ReadTable(bytes.NewReader(append(table, ' '))), "does not have its digest")
	if err := m.ReadTable(iotest.OneByteReader(bytes.NewReader(table))); err != nil {
		t.Error(err)
	}
}

// An empty file has the digest of zero bytes, wherever it is listed.
func TestDigestOfAnEmptyFile(t *testing.T) {
	m := packsVector()
	for i := range m.Content.Files {
		if f := &m.Content.Files[i]; f.Regular() && f.Size == 0 {
			f.SHA256 = manifest.Sum([]byte("not empty"))
		}
	}
	if err := m.Seal(); err == nil {
		t.Error("it is written")
	}
	r := parseRegister(t, encoded(t, packsVector()))
	r.file(4)["sha256"] = manifest.Sum([]byte("not empty")).Hex()
	r.reseal(t)
	_, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
	wantCorrupt(t, "empty file", err, "digest is not that of zero bytes")
}
