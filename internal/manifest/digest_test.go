package manifest_test

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"github.com/mindtrace/registry/internal/manifest"
)

// canonicalContent makes the digest of a content as docs/format.md says, with
// other code: another JSON encoder and another implementation of RFC 8785.
func canonicalContent(t rapid.TB, content map[string]any) ([]byte, manifest.Digest) {
	t.Helper()
	b, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = jcs.Transform(b); err != nil {
		t.Fatal(err)
	}
	return b, sha256.Sum256(b)
}

// contentMap writes a content down as a plain JSON object.
func contentMap(c *manifest.Content) map[string]any {
	m := map[string]any{}
	if c.Class != "" {
		m["class"] = c.Class
	}
	if c.Materializer != "" {
		m["materializer"] = c.Materializer
	}
	if c.Metadata != nil {
		m["metadata"] = json.RawMessage(c.Metadata)
	}
	var files []any
	for _, f := range c.Files {
		file := map[string]any{"path": f.Path}
		if f.Dir {
			file["dir"] = true
		}
		if f.Link != "" {
			file["link"] = f.Link
		}
		if f.Exec {
			file["exec"] = true
		}
		if f.Size != 0 {
			file["size"] = f.Size
		}
		if f.Regular() {
			file["sha256"] = f.SHA256.Hex()
		}
		files = append(files, file)
	}
	if files != nil {
		m["files"] = files
	}
	return m
}

// checkDigest checks the digest of a sealed manifest against the other path.
func checkDigest(t rapid.TB, m *manifest.Manifest) {
	t.Helper()
	_, want := canonicalContent(t, contentMap(&m.Content))
	if m.Digest != want {
		t.Errorf("digest %s, another implementation has %s", m.Digest, want)
	}
}

// The content is what counts, not name, number, time, chunks or place.
func TestDigestIsOfTheContent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genManifest.Draw(t, "manifest")
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		n := genManifest.Draw(t, "another")
		n.Content = m.Content
		n.Placement, n.Content.Files = manifest.Placement{}, nil
		for _, f := range m.Content.Files {
			f.Chunks = nil
			n.Content.Files = append(n.Content.Files, f)
		}
		if err := n.Seal(); err != nil {
			t.Fatal(err)
		}
		if m.Digest != n.Digest {
			t.Errorf("one content has the digests %s and %s", m.Digest, n.Digest)
		}
	})
}

// Spaces and the order of members in the metadata as given do not count.
func TestDigestOfMetadataNotYetCanonical(t *testing.T) {
	a := manifest.Content{Metadata: jsontext.Value(`{"b": 1.50, "a": "\u0041"}`)}
	b := manifest.Content{Metadata: jsontext.Value(`{"a":"A","b":1.5}`)}
	da, err := a.Digest()
	if err != nil {
		t.Fatal(err)
	}
	db, err := b.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if da != db {
		t.Errorf("one content has the digests %s and %s", da, db)
	}
	for _, empty := range []string{"", "null", " {} "} {
		c := manifest.Content{Metadata: jsontext.Value(empty)}
		if d, err := c.Digest(); d != manifest.Sum([]byte("{}")) || err != nil {
			t.Errorf("metadata %q: digest %s, %v", empty, d, err)
		}
	}
}

func TestDigestRefusesWhatJSONCannotHold(t *testing.T) {
	for _, c := range []manifest.Content{
		{Class: "\xff"},
		{Materializer: "\xff"},
		{Files: []manifest.File{{Path: "\xff"}}},
		{Metadata: jsontext.Value(`{"a":}`)},
		{Metadata: jsontext.Value(`9007199254740993`)},
	} {
		if d, err := c.Digest(); err == nil {
			t.Errorf("%+v has the digest %s", c, d)
		}
	}
}

func TestCanonicalMetadata(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"null", ""},
		{" null ", ""},
		{"{ }", ""},
		{"[ ]", "[]"},
		{`""`, `""`},
		{"0", "0"},
		{"-0", "0"},
		{"-0.0", "0"},
		{"1.50", "1.5"},
		{"1e3", "1000"},
		{"1E-7", "1e-7"},
		{"0.000001", "0.000001"},
		{"1e20", "100000000000000000000"},
		{"1e21", "1e+21"},
		{"0.10000000000000001", "0.1"}, // as %.17g prints it
		{"0.1000000000000000056", "0.1"},
		{"0.1000000000000000055511151231257827021181583404541015625", "0.1"},
		{"0.1000", "0.1"},
		{"5e-324", "5e-324"},
		{"0.00e-999999999999999999999", "0"},
		{"9007199254740992", "9007199254740992"},
		{"-9007199254740992", "-9007199254740992"},
		{"1.7976931348623157e308", "1.7976931348623157e+308"},
		{`"1.7976931348623157e+308"`, `"1.7976931348623157e+308"`},
		{`"1e999"`, `"1e999"`},
		{`{"b":1,"a":[{"d":true,"c":null}]}`, `{"a":[{"c":null,"d":true}],"b":1}`},
		{`"\u0041\/\u000a\u001F\u2028"`, "\"A/\\n\\u001f\u2028\""},
		// Order is that of UTF-16: 😀 lies before U+FB33. (RFC 8785, 3.2.3)
		{`{"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3,"\u00f6":4,"\u0080":5,"1":6,"\r":7}`,
			"{\"\\r\":7,\"1\":6,\"\u0080\":5,\"ö\":4,\"€\":3,\"😀\":2,\"\ufb33\":1}"},
	} {
		got, err := manifest.CanonicalMetadata(jsontext.Value(c.in))
		if err != nil || string(got) != c.want || (got == nil) != (c.want == "") {
			t.Errorf("CanonicalMetadata(%s) = %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestCanonicalMetadataRefuses(t *testing.T) {
	const bigInt, bigFloat = "integer beyond ±2⁵³", "too large for a double; write it as a string"
	for _, c := range []struct{ in, want string }{
		{" ", "EOF"},
		{"{", "EOF"},
		{"{}{}", "after top-level value"},
		{"NaN", "invalid character"},
		{"{'a':1}", "invalid character"},
		{`{"a":1,"a":2}`, `duplicate object member name "a"`},
		{`{"a":1,"\u0061":2}`, `duplicate object member name "a"`},
		{"\"\xff\"", "invalid UTF-8"},
		{`"\ud800"`, "invalid surrogate pair"},
		{"9007199254740993", bigInt},
		{`{"a":[-9007199254740993]}`, bigInt},
		{"12345678901234567890", bigInt},
		{"1e-400", "number 1e-400, which a double cannot hold: it would become 0"},
		{"2e-999999999999999999999", "would become 0"},
		{`{"a":[3.00000000000000000001]}`, "number 3.00000000000000000001, which a double cannot hold: it would become 3"},
		{"0.1000000000000000055", "would become 0.1"},
		{"0." + strings.Repeat("3", 800), "would become 0.333"},
		{"1e309", "number 1e309, which is " + bigFloat},
		{`{"a":[1,-1e999]}`, "number -1e999, which is " + bigFloat},
		{"1" + strings.Repeat("0", 400) + ".5", bigFloat},
		{`"` + strings.Repeat("a", manifest.MaxMetadata-1) + `"`, "has 262145 bytes, the limit is 262144; save it as a file"},
	} {
		_, err := manifest.CanonicalMetadata(jsontext.Value(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300 {
			t.Errorf("CanonicalMetadata(%.60s): error %v, want %q", c.in, err, c.want)
		}
	}
	if _, err := manifest.CanonicalMetadata(jsontext.Value(`"` + strings.Repeat("a", manifest.MaxMetadata-2) + `"`)); err != nil {
		t.Error(err)
	}
}

// The canonical form is that of another implementation, and its own.
func TestCanonicalMetadataIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := genMetadata.Draw(t, "metadata")
		got, err := manifest.CanonicalMetadata(in)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := manifest.CanonicalMetadata(got); string(again) != string(got) || err != nil {
			t.Errorf("%s becomes %s, %v", got, again, err)
		}
		if got == nil {
			return
		}
		want, err := jcs.Transform(in)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s becomes %s, another implementation has %s", in, got, want)
		}
	})
}
