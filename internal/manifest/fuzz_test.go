package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gowebpki/jcs"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Everything that is read from a store may be anything. No reader panics, and
// what one accepts, it writes and accepts again. Run them with
// -fuzzminimizetime=1x: minimizing inputs of some kilobytes takes all the time.

func addVectors(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no vectors %s: %v", pattern, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// checkRefusal checks that a register is refused as damaged or as newer.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, manifest.ErrCorrupt) == errors.Is(err, manifest.ErrNewer) {
		t.Errorf("error %q is not one of ErrCorrupt and ErrNewer", err)
	}
}

func FuzzDecodeSettings(f *testing.F) {
	addVectors(f, "settings.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := manifest.DecodeSettings(body)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := manifest.DecodeSettings(again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if d := cmp.Diff(s, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("read, written and read again (-first +second):\n%s", d)
		}
		if !s.Created.IsZero() && s.Times.EraEnd(s.Times.EraOf(s.Created)).Before(s.Created) {
			t.Errorf("%s lies after the end of its era, with %+v", s.Created, s.Times)
		}
	})
}

// whose says for which version a register claims to be, if it can be read.
func whose(body []byte) (name string, v manifest.Version) {
	var r struct {
		Name    string
		Version string
	}
	if json.Unmarshal(body, &r) == nil {
		v, _ = manifest.ParseVersion(r.Version)
	}
	return r.Name, v
}

func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"inline.json", "packs.json", "deleted.json", "purged.json", "purging.json", "table.json", "zstd.json"} {
		addVectors(f, pattern)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		name, v := whose(body)
		m, err := manifest.Decode(body, name, v)
		if is, not, found := digests(err); found { // chance does not find a digest
			m, err = manifest.Decode(bytes.Replace(body, not, is, 1), name, v)
		}
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if m.Name != name || m.Version != v {
			t.Fatalf("asked for %s@%s, got %s@%s", name, v, m.Name, m.Version)
		}
		if m.Table == nil && m.State != manifest.Purged {
			checkBounds(t, m)
			checkDigest(t, m)
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := manifest.Decode(again, name, v)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if d := diff(m, got); d != "" {
			t.Errorf("read, written and read again (-first +second):\n%s", d)
		}
		if m.Table == nil && m.State != manifest.Purged { // what was read can be sealed anew, and comes to the same
			if err := got.Seal(); err != nil || got.Digest != m.Digest || got.Size != m.Size || got.Count != m.Count {
				t.Errorf("sealed again: digest %s, %d files of %d bytes, %v", got.Digest, got.Count, got.Size, err)
			}
		}
	})
}

// digests takes the right and the wrong digest out of an error.
func digests(err error) (is, not []byte, found bool) {
	if err == nil {
		return nil, nil, false
	}
	_, text, found := strings.Cut(err.Error(), "the content has the digest sha256:")
	if !found || len(text) < 64 {
		return nil, nil, false
	}
	_, wrong, found := strings.Cut(text, ", not sha256:")
	return []byte(text[:64]), []byte(wrong), found
}

// checkBounds checks what readers rely on when they slice and ask for ranges.
func checkBounds(t *testing.T, m *manifest.Manifest) {
	t.Helper()
	var total int64
	for i := range m.Content.Files {
		f := &m.Content.Files[i]
		total += f.Size
		if f.Size < 0 || f.Size > m.Size || total > m.Size {
			t.Fatalf("%q has %d bytes of %d", f.Path, f.Size, m.Size)
		}
		if len(m.Placement.Packs) == 0 {
			continue
		}
		var sum int64
		for _, c := range f.Chunks {
			sum += c.Size
			if c.Size <= 0 || c.Size > manifest.MaxChunk || c.Offset < 0 || c.Offset > m.Placement.Packs[c.Pack].Size-c.Len() || c.Stored < 0 || c.Stored >= c.Size {
				t.Fatalf("%q has the chunk %+v in a pack of %d bytes", f.Path, c, m.Placement.Packs[c.Pack].Size)
			}
		}
		if sum != f.Size {
			t.Fatalf("%q has %d bytes in chunks of %d", f.Path, f.Size, sum)
		}
	}
	if len(m.Placement.Packs) == 0 && total != int64(len(m.Placement.Inline)) {
		t.Fatalf("%d bytes inline, the files have %d", len(m.Placement.Inline), total)
	}
	for _, p := range m.Packs() {
		if err := store.ValidKey(p.Key()); err != nil || p.Size <= 0 || p.Size > manifest.MaxPack {
			t.Fatalf("pack %+v: %v", p, err)
		}
	}
}

func FuzzDecodeTable(f *testing.F) {
	addVectors(f, "table-content.json")
	m := zstdVector()
	if err := m.Seal(); err != nil {
		f.Fatal(err)
	}
	table, err := m.EncodeTable()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(table)
	f.Fuzz(func(t *testing.T, table []byte) {
		// The register agrees with the table as far as it can.
		var content struct {
			Files []struct{ Size int64 }
		}
		m := packsVector()
		m.Requires = []string{"zstd"}
		if json.Unmarshal(table, &content) == nil {
			m.Size, m.Count = 0, len(content.Files)
			for _, f := range content.Files {
				m.Size += f.Size
			}
		}
		m.Content.Files, m.Placement = nil, manifest.Placement{}
		m.Digest = tableDigest(table, m.Content)
		c := manifest.Chunk{SHA256: manifest.Sum(table), Size: int64(len(table))}
		m.SetTable(c.Size, c.SHA256, []manifest.Chunk{c}, []manifest.Pack{packOf(1, c.Size, c)})
		if err := m.ReadTable(bytes.NewReader(table)); err != nil {
			if !errors.Is(err, manifest.ErrCorrupt) {
				t.Errorf("error %q is not ErrCorrupt", err)
			}
			if m.Content.Files != nil || m.Placement.Packs != nil {
				t.Error("a table that was refused has left files behind")
			}
			return
		}
		m.Table = nil
		checkBounds(t, m)
		m.Table = &manifest.Table{}
		again, err := m.EncodeTable()
		if err != nil {
			t.Fatal(err)
		}
		n := *m
		n.SetTable(int64(len(again)), manifest.Sum(again), nil, nil)
		m.Table = n.Table
		if err := n.ReadTable(bytes.NewReader(again)); err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if d := diff(m, &n); d != "" {
			t.Errorf("read, written and read again (-first +second):\n%s", d)
		}
	})
}

// tableDigest is the digest that a register must have for a table to be
// accepted, if there is one.
func tableDigest(table []byte, c manifest.Content) manifest.Digest {
	var r struct {
		Files []manifest.File `json:"files"`
	}
	if json.Unmarshal(table, &r) != nil {
		return manifest.Digest{1}
	}
	c.Files = r.Files
	d, _ := c.Digest()
	return d
}

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"1.2.3", "v1", "1.2-rc.1", "0.0.0--", "1.0.0-RC.10.x-Y", "9223372036854775807.0.0", "1.2.3+b", "01.2.3", "1.2.3-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := manifest.ParseVersion(s)
		if err != nil {
			if !errors.Is(err, manifest.ErrInvalidVersion) || len(err.Error()) > 1000 {
				t.Errorf("error %q", err)
			}
			return
		}
		if w, err := manifest.ParseVersion(v.String()); w != v || err != nil {
			t.Errorf("%q is %s, which is %s, %v", s, v, w, err)
		}
		if w, err := manifest.ParseVersionKey(v.Key()); w != v || err != nil {
			t.Errorf("%q has the key %q, which is that of %s, %v", s, v.Key(), w, err)
		}
		if err := store.ValidKey(manifest.VersionKey("n", v)); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if v.Compare(v) != 0 {
			t.Errorf("%s is not equal to itself", v)
		}
		if next, err := v.Next(); err == nil && next.Compare(v) <= 0 {
			t.Errorf("%s comes after %s, and is not greater", next, v)
		}
	})
}

func FuzzParseVersionKey(f *testing.F) {
	for _, s := range []string{"a1.b10.a0~", "e1/23/45.a0.a0-!1rc!0a1!!", "a1.a0.a0-!1_r_c!!", "a1.a0.a0-!0b01!!", "a1.a0.a0-!1__a!!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		v, err := manifest.ParseVersionKey(key)
		if err != nil {
			if !errors.Is(err, manifest.ErrInvalidVersion) || len(err.Error()) > 1000 {
				t.Errorf("error %q", err)
			}
			return
		}
		if v.Key() != key {
			t.Errorf("%q is read as %s, which has the key %q", key, v, v.Key())
		}
	})
}

func FuzzParseMilestoneKey(f *testing.F) {
	for _, s := range []string{"objects/my!!!model/@/!s8.r89.s9~", "objects/a/@/!s8.s9.o8/76/54~", "objects/a/@/!a1.a0.a0~", "objects/a/@/!s9.s9.s9-!1rc!!", "objects/a/@/!s9.s9.s9~.json"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name, v, err := manifest.ParseMilestoneKey(key)
		if err != nil {
			return
		}
		if got := manifest.MilestoneKey(name, v); got != key || !v.IsRelease() {
			t.Errorf("%q is read as the milestone of %s@%s, which has the key %q", key, name, v, got)
		}
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
		if _, _, err := manifest.ParseVersionRegisterKey(key); err == nil {
			t.Errorf("%q is read as a register, too", key)
		}
	})
}

func FuzzParseVersionRegisterKey(f *testing.F) {
	for _, s := range []string{"objects/my!!!model/@/a1.b10.a0~.json", "objects/a/@/a1.a0.a0-!1rc!!.json", "objects/a/@/@/a1.a0.a0~.json", "objects/con/@/a1.a0.a0~.json"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name, v, err := manifest.ParseVersionRegisterKey(key)
		if err != nil {
			return
		}
		if got := manifest.VersionKey(name, v); got != key {
			t.Errorf("%q is read as %s@%s, which has the key %q", key, name, v, got)
		}
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParsePackKey(f *testing.F) {
	f.Add("packs/0000002877/ab/" + strings.Repeat("ab", 32))
	f.Add("packs/18446744073709551615/ab/" + strings.Repeat("ab", 32))
	f.Fuzz(func(t *testing.T, key string) {
		p, err := manifest.ParsePackKey(key)
		if err != nil {
			return
		}
		if p.Key() != key || p.Size != 0 {
			t.Errorf("%q is read as %+v, which has the key %q", key, p, p.Key())
		}
		if end := manifest.DefaultTimes.EraEnd(p.Era); manifest.DefaultTimes.EraOf(end) != p.Era+1 {
			t.Errorf("era %d ends at %s, which is in era %d", p.Era, end, manifest.DefaultTimes.EraOf(end))
		}
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
	})
}

func FuzzValidName(f *testing.F) {
	for _, s := range []string{"my:model", "My:Model", "my_model", "my/model", " a", "con", "con:a", "a::b", "模型", "a\xff", "_con_", "con.x_", "a" + strings.Repeat("\xdf", 1000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := manifest.ValidName(name); err != nil {
			if !errors.Is(err, manifest.ErrInvalidName) || len(err.Error()) > 2000 || !utf8.ValidString(err.Error()) {
				t.Errorf("error %q", err)
			}
			checkSuggestion(t, name, err)
			return
		}
		seg := store.Escape(name)
		if got, err := store.Unescape(seg); got != name || err != nil {
			t.Errorf("%q is escaped as %q, which is %q, %v", name, seg, got, err)
		}
		if strings.ToLower(seg) != seg {
			t.Errorf("%q is escaped as %q, with upper case", name, seg)
		}
		if err := store.ValidKey(manifest.VersionKey(name, manifest.Version{})); err != nil {
			t.Error(err)
		}
	})
}

func FuzzCanonicalMetadata(f *testing.F) {
	for _, s := range []string{rawMetadata, "null", "{}", "[]", "-0", "1e999", "9007199254740993", `"\ud800"`, `{"a":1,"a":2}`, "1e21", "1.7976931348623157e308"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := string(in)
		got, err := manifest.CanonicalMetadata(in)
		if string(in) != before {
			t.Fatalf("%s was changed to %s", before, in)
		}
		if err != nil {
			return
		}
		if again, err := manifest.CanonicalMetadata(got); string(again) != string(got) || err != nil {
			t.Errorf("%s becomes %s, and that %s, %v", in, got, again, err)
		}
		if got == nil {
			return
		}
		// Another implementation, where it reads all of JSON.
		if want, err := jcs.Transform(in); err == nil && string(want) != string(got) {
			t.Errorf("%s becomes %s, another implementation has %s", in, got, want)
		}
	})
}
