package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

// A register is read whole and right, or not at all. Every test below damages
// one that is good, and wants to be told what is wrong with it.

func encoded(t testing.TB, m *manifest.Manifest) []byte {
	t.Helper()
	body, err := seal(t, m).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// plainVector is inlineVector with metadata that other encoders write as we do.
func plainVector() *manifest.Manifest {
	m := inlineVector()
	m.Content.Metadata = []byte(`{"a":1}`)
	return m
}

// reseal makes digest and sums agree with what the files were changed to.
func (r register) reseal(t testing.TB) {
	t.Helper()
	content := r.at("content")
	files, _ := content["files"].([]any)
	var size int64
	for _, f := range files {
		if n, ok := f.(map[string]any)["size"]; ok {
			var s int64
			fmt.Sscan(fmt.Sprint(n), &s)
			size += s
		}
	}
	_, digest := canonicalContent(t, content)
	r["digest"], r["size"], r["count"] = digest.Hex(), size, len(files)
}

// file returns one of the files of a register.
func (r register) file(i int) register { return r.at("content")["files"].([]any)[i].(map[string]any) }

// wantCorrupt checks that an error says that what was read is damaged, of
// which version, and how.
func wantCorrupt(t *testing.T, why string, err error, says string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error, want one saying %q", why, says)
	case !errors.Is(err, manifest.ErrCorrupt) || errors.Is(err, manifest.ErrNewer):
		t.Errorf("%s: error %q is not ErrCorrupt", why, err)
	case errors.Is(err, manifest.ErrInvalidName) || errors.Is(err, manifest.ErrInvalidVersion) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		t.Errorf("%s: error %q blames the caller or the network too", why, err)
	case !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "@1.") || len(err.Error()) > 2000:
		t.Errorf("%s: error %q does not say %q", why, err, says)
	}
}

// Damage to the bytes, of whatever register.
func TestDamagedBytes(t *testing.T) {
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("no %q in the register", old)
			}
			return bytes.Replace(b, []byte(old), []byte(new), 1)
		}
	}
	for _, c := range []struct {
		why    string
		damage func([]byte) []byte
		says   string
	}{
		{"empty", func([]byte) []byte { return nil }, "EOF"},
		{"truncated", func(b []byte) []byte { return b[:len(b)/2] }, "EOF"},
		{"last byte lost", func(b []byte) []byte { return b[:len(b)-2] }, "EOF"},
		{"zeroes", func(b []byte) []byte { return make([]byte, len(b)) }, "invalid character"},
		{"zeroes at the end", func(b []byte) []byte { return append(b, 0, 0) }, "after top-level value"},
		{"twice", func(b []byte) []byte { return append(b, b...) }, "after top-level value"},
		{"not an object", func([]byte) []byte { return []byte("[]") }, "array"},
		{"null", func([]byte) []byte { return []byte("null") }, `kind ""`},
		{"unknown member", replace(`{"kind"`, `{"color":"red","kind"`), "color"},
		{"unknown member within", replace(`"content":{`, `"content":{"color":"red",`), "color"},
		{"unknown member of a file", replace(`"files":[{`, `"files":[{"color":"red",`), "color"},
		{"unknown member of the placement", replace(`"placement":{`, `"placement":{"color":"red",`), "color"},
		{"duplicate member", replace(`"state"`, `"name":"a","state"`), `duplicate object member name "name"`},
		{"duplicate member, written in another way", replace(`"state"`, `"n\u0061me":"a","state"`), `duplicate object member name "n`},
		{"duplicate member within", replace(`"metadata":{`, `"metadata":{"zero":1,`), "duplicate object member name"},
		{"member in upper case", replace(`"digest"`, `"Digest"`), "Digest"},
		{"invalid UTF-8", replace(`example.com`, "example\xff.com"), "invalid UTF-8"},
		{"half a surrogate pair", replace(`example.com`, `\ud83d.com`), "surrogate"},
		{"number for a string", replace(`"name":"my:Model"`, `"name":1`), "/name"},
		{"string for a number", replace(`"size":8`, `"size":"8"`), "/size"},
		{"fraction", replace(`"size":8`, `"size":8.5`), "/size"},
		{"exponent", replace(`"size":8`, `"size":8e0`), "/size"},
		{"number beyond int64", replace(`"size":8`, `"size":9223372036854775808`), "/size"},
		{"bad time", replace(`2025-01-02T03:04:05.678Z`, `yesterday`), "/created"},
		{"digest too short", replace(`"digest":"`, `"digest":"00`), "not 64 lower-case hexadecimal digits"},
		{"bad base64", replace(`"inline":"`, `"inline":"*`), "/placement/inline"},
		{"other version spelt in another way", replace(`"version":"1.0.0"`, `"version":"1"`), "canonical form is 1.0.0"},
		{"bad version", replace(`"version":"1.0.0"`, `"version":"one"`), "invalid version"},
		{"metadata not canonical", replace(`"zero":0`, `"zero":0.0`), "metadata is not in canonical form"},
		{"metadata with a blank", replace(`"zero":0`, `"zero": 0`), "metadata is not in canonical form"},
		{"metadata not in order", replace(`"":5,"\r":2`, `"\r":2,"":5`), "metadata is not in canonical form"},
		{"integer in the metadata beyond 2⁵³", replace(`"zero":0`, `"zero":9007199254740993`), "integer beyond"},
	} {
		body := encoded(t, inlineVector())
		_, err := manifest.Decode(c.damage(body), "my:Model", manifest.Version{Major: 1})
		wantCorrupt(t, c.why, err, c.says)
	}
}

// Damage to what a register says of itself.
func TestDamagedHead(t *testing.T) {
	for _, c := range []struct {
		why    string
		damage func(register)
		says   string
	}{
		{"no kind", func(r register) { delete(r, "kind") }, `kind "" format 1, want kind "version" format 1`},
		{"another kind", func(r register) { r["kind"] = "settings" }, `kind "settings" format 1, want kind "version" format 1`},
		{"no format", func(r register) { delete(r, "format") }, "format 0, want"},
		{"negative format", func(r register) { r["format"] = -1 }, "format -1, want"},
		{"no nonce", func(r register) { delete(r, "nonce") }, "bad nonce"},
		{"short nonce", func(r register) { r["nonce"] = "00" }, "bad nonce"},
		{"long nonce", func(r register) { r["nonce"] = strings.Repeat("0", 34) }, "bad nonce"},
		{"nonce in upper case", func(r register) { r["nonce"] = strings.Repeat("A", 32) }, "bad nonce"},
		{"nonce not of hexadecimal digits", func(r register) { r["nonce"] = strings.Repeat("g", 32) }, "bad nonce"},
		{"bad earlier nonce", func(r register) { r["prev"] = []any{nonce("1"), "x"} }, "bad nonce"},
		{"nine earlier nonces", func(r register) { r["prev"] = strings.Split(strings.Repeat(","+string(nonce("1")), 9)[1:], ",") }, "bad nonce"},
		{"no state", func(r register) { delete(r, "state") }, `unknown state ""`},
		{"unknown state", func(r register) { r["state"] = "void" }, `unknown state "void"`},
		{"no name", func(r register) { delete(r, "name") }, "it is empty"},
		{"invalid name", func(r register) { r["name"] = "my/model" }, "slashes are not allowed"},
		{"another name", func(r register) { r["name"] = "my:model" }, "it is the register of my:model@1.0.0"},
		{"another version", func(r register) { r["version"] = "1.0.1" }, "it is the register of my:Model@1.0.1"},
		{"no version", func(r register) { delete(r, "version") }, "it is the register of my:Model@0.0.0"},
		{"no digest", func(r register) { delete(r, "digest") }, "no digest"},
		{"negative size", func(r register) { r["size"] = -8 }, "negative size"},
		{"negative count", func(r register) { r["count"] = -2 }, "negative size or count"},
		{"no placement", func(r register) { delete(r, "placement") }, "0 bytes inline, the files have 8"},
		{"no content", func(r register) { delete(r, "content") }, "0 files of 0 bytes, not 2 of 8"},
		{"metadata too large", func(r register) {
			r.at("content")["metadata"] = strings.Repeat("a", manifest.MaxMetadata-1)
			r.reseal(t)
		}, "metadata has 262145 bytes, the limit is 262144"},
		{"metadata null", func(r register) {
			r.at("content")["metadata"] = nil
			r.reseal(t)
		}, "metadata is not in canonical form"},
		{"metadata empty", func(r register) {
			r.at("content")["metadata"] = map[string]any{}
			r.reseal(t)
		}, "metadata is not in canonical form"},
	} {
		r := parseRegister(t, encoded(t, plainVector()))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), "my:Model", manifest.Version{Major: 1})
		wantCorrupt(t, c.why, err, c.says)
	}
}

// Eight earlier nonces are what a register may have.
func TestEightEarlierNonces(t *testing.T) {
	r := parseRegister(t, encoded(t, plainVector()))
	r["prev"] = strings.Split(strings.Repeat(","+string(nonce("1")), 8)[1:], ",")
	if _, err := manifest.Decode(r.bytes(t), "my:Model", manifest.Version{Major: 1}); err != nil {
		t.Error(err)
	}
}

// A register of a newer format is refused as newer. It is not reported as damage,
// and not read in part: then this program would drop, at its next write, what it
// does not know (see docs/attacks.md, A27).
func TestNewerFormatIsNotDamage(t *testing.T) {
	settings, err := settingsVector().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{settings, encoded(t, plainVector()), encoded(t, packsVector())} {
		for _, c := range []struct {
			why    string
			change func(register)
			says   string
		}{
			{"format 2", func(r register) { r["format"] = 2 }, "format 2, this program knows up to 1; upgrade it"},
			{"format 2 and a new member", func(r register) { r["format"], r["color"] = 2, "red" }, "format 2, this program knows up to 1; upgrade it"},
			{"format 2 in another shape", func(r register) { r["format"], r["times"], r["placement"] = 2, "long", []any{} }, "format 2, this program"},
			{"feature", func(r register) { r["requires"] = []any{"x"} }, `it uses ["x"], which this program does not know; upgrade it`},
			{"feature of an unknown kind", func(r register) { r["kind"], r["requires"] = "lease", []any{"x", "y"} }, `it uses ["x" "y"]`},
		} {
			r := parseRegister(t, body)
			c.change(r)
			for _, err := range []error{
				second(manifest.DecodeSettings(r.bytes(t))),
				second(manifest.Decode(r.bytes(t), "my:Model", manifest.Version{Major: 1})),
			} {
				wantError(t, err, manifest.ErrNewer, c.says)
				if errors.Is(err, manifest.ErrCorrupt) {
					t.Errorf("%s: %v is told as damage too", c.why, err)
				}
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestDamagedSettings(t *testing.T) {
	for _, c := range []struct {
		why    string
		damage func(register)
		says   string
	}{
		{"another kind", func(r register) { r["kind"] = "version" }, `kind "version" format 1, want kind "settings" format 1`},
		{"no format", func(r register) { delete(r, "format") }, "format 0, want"},
		{"bad nonce", func(r register) { r["nonce"] = "x" }, "bad nonce"},
		{"no id", func(r register) { delete(r, "id") }, "bad id"},
		{"bad id", func(r register) { r["id"] = strings.Repeat("A", 32) }, "bad id"},
		{"no times", func(r register) { delete(r, "times") }, "not all positive"},
		{"unknown member", func(r register) { r["color"] = "red" }, "color"},
		{"unknown member of times", func(r register) { r.at("times")["color"] = "red" }, "color"},
		{"fraction", func(r register) { r.at("times")["era"] = json.Number("1.5") }, "/times/era"},
		{"word for a flag", func(r register) { r["unversioned"] = "yes" }, "/unversioned"},
	} {
		body, err := settingsVector().Encode()
		if err != nil {
			t.Fatal(err)
		}
		r := parseRegister(t, body)
		c.damage(r)
		_, err = manifest.DecodeSettings(r.bytes(t))
		wantError(t, err, manifest.ErrCorrupt, c.says)
		wantError(t, err, manifest.ErrCorrupt, "registry.json: ")
	}
	if _, err := manifest.DecodeSettings(nil); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("no bytes: %v", err)
	}
}

// What Decode would refuse, Encode does not write.
func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		damage func(*manifest.Manifest)
		says   string
	}{
		{"not sealed", func(m *manifest.Manifest) { m.Digest = manifest.Digest{} }, "no digest"},
		{"no state", func(m *manifest.Manifest) { m.State = "" }, "unknown state"},
		{"invalid name", func(m *manifest.Manifest) { m.Name = "my_model" }, "underscores"},
		{"invalid version", func(m *manifest.Manifest) { m.Version.Pre = "01" }, "leading zero"},
		{"version that does not fit", func(m *manifest.Manifest) { m.Version.Pre = "rc/1" }, "not '/'"},
		{"metadata changed since", func(m *manifest.Manifest) { m.Content.Metadata = []byte(`{"a": 1}`) }, "not in canonical form"},
		{"metadata damaged since", func(m *manifest.Manifest) { m.Content.Metadata = []byte(`{`) }, "EOF"},
		{"class that is no text", func(m *manifest.Manifest) { m.Content.Class = "\xff" }, "invalid UTF-8"},
		{"era of a clock that is off", func(m *manifest.Manifest) { m.Placement.Packs[0].Era = 1e10 }, "era 10000000000"},
		{"pack too large", func(m *manifest.Manifest) { m.Placement.Packs[0].Size = manifest.MaxPack + 1 }, "size 16777217"},
		{"table without a place", func(m *manifest.Manifest) { m.SetTable(1, manifest.Sum(nil), nil, nil) }, "no place"},
	} {
		m := seal(t, packsVector())
		c.damage(m)
		if _, err := m.Encode(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.why, err, c.says)
		}
	}
}
