package manifest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

func TestValidTag(t *testing.T) {
	for _, tag := range []string{
		"prod", "Prod", "a", "7b", "2024q3", "2024_01_15", "v2beta", "rc.1", "a-b_c.d", "late", "very", "vx", "a.", "A1", "next-2",
		strings.Repeat("a", 64), strings.Repeat("A", 47) + "a", "CON", "v", "main",
	} {
		if err := manifest.ValidTag(tag); err != nil {
			t.Error(err)
		}
	}
	for tag, says := range map[string]string{
		"":       "empty",
		"latest": "highest version", "LATEST": "highest version",
		"1": "taken for a version", "v1": `"r1"`, "1.2": "taken for a version", "1.2.3": "taken for a version", "v1.2.3-rc.1": `"r1.2.3-rc.1"`,
		"01": "taken for a version", "1.2.3.4": "taken for a version", "2024-prod": "taken for a version", "1.0.0rc1": "taken for a version",
		"x": "range", "X": "range", "prod.x": "range", "v.X-1": "range", "1.x": "taken for a version",
		"^1": "starts with a letter", ">=1": "starts with a letter", "*": "starts with a letter", "a b": "starts with a letter",
		"a:b": "starts with a letter", "a/b": "starts with a letter", "a@b": "starts with a letter", "sha256:ab": "starts with a letter",
		".a": "starts with a letter", "-a": "starts with a letter", "_a": "starts with a letter", "..": "starts with a letter",
		"a\n": "starts with a letter", "\u00e9": "starts with a letter", "a!b": "starts with a letter", "a~": "starts with a letter",
		"con": "device name", "aux.1": "device name", "lpt1": "device name",
		strings.Repeat("a", 65): "65 bytes", strings.Repeat("A", 48): "too long in a key",
	} {
		wantError(t, manifest.ValidTag(tag), manifest.ErrInvalidTag, says)
	}
}

func TestTagKey(t *testing.T) {
	for _, c := range []struct{ name, tag, key string }{
		{"m", "prod", "tags/m/@/prod.json"},
		{"my:Model", "RC_1.b", "tags/my!!!model/@/!r!c_1.b.json"},
	} {
		key := manifest.TagKey(c.name, c.tag)
		if key != c.key || store.ValidKey(key) != nil {
			t.Errorf("key of %s@%s is %s, want %s", c.name, c.tag, key, c.key)
		}
		if name, tag, err := manifest.ParseTagKey(key); name != c.name || tag != c.tag || err != nil {
			t.Errorf("%s is read as %s@%s, %v", key, name, tag, err)
		}
	}
	for _, key := range []string{
		"", "tags/", "tags/m/@/", "tags/m/@/.json", "tags/m/@/prod", "tags/m/prod.json", "tags//@/prod.json", "tags/m/@/Prod.json",
		"tags/m/@/1.json", "tags/m/@/latest.json", "tags/m/@/a/b.json", "tags/m_/@/prod.json", "tags/M/@/prod.json", "objects/m/@/prod.json",
		"tags/m/@/!.json", "tags/m/@/a!!b.json", "tags/con/@/a.json", "tags/m/@/con.json", "tags/m/@/@/prod.json",
	} {
		if name, tag, err := manifest.ParseTagKey(key); err == nil {
			t.Errorf("%q is read as %s@%s", key, name, tag)
		}
	}
}

func tagVector() *manifest.Tag {
	return &manifest.Tag{
		Head: vectorHead(manifest.KindTag, "5"), State: manifest.TagSet, Name: "my:Model", Tag: "Prod",
		Version: manifest.Version{Major: 1}, Digest: manifest.Sum([]byte("one")),
	}
}

// movedVector is tagVector after it was moved and then removed.
func movedVector() *manifest.Tag {
	v2, d2 := manifest.Version{Major: 2, Pre: "rc.1"}, manifest.Sum([]byte("two"))
	m := tagVector().Move(manifest.TagSet, v2, d2, vectorTime).Move(manifest.Deleted, v2, d2, vectorTime.Add(time.Hour))
	m.Nonce, m.Prev = nonce("7"), []manifest.Nonce{nonce("6"), nonce("5")}
	return m
}

func TestTagVectors(t *testing.T) {
	for file, tag := range map[string]*manifest.Tag{"tag.json": tagVector(), "tag-removed.json": movedVector()} {
		body, err := tag.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, file, body)
		got, err := manifest.DecodeTag(body, tag.Name, tag.Tag)
		if d := cmp.Diff(tag, got); d != "" || err != nil {
			t.Errorf("%s is read differently: %v (-want +got):\n%s", file, err, d)
		}
	}
}

// A tag has its last 32 states. No two states share a nonce, also if they point at
// the same version: otherwise a tag that was moved away and back looks unchanged to
// a writer that compares (see docs/attacks.md, A17).
func TestTagMoves(t *testing.T) {
	tag := manifest.NewTag("m", "prod", manifest.Version{}, manifest.Sum([]byte{0}))
	seen := map[manifest.Nonce]bool{tag.Nonce: true}
	for i := 1; i <= 40; i++ {
		before := *tag
		v, d := manifest.Version{Patch: uint64(i % 2)}, manifest.Sum([]byte{byte(i % 2)})
		tag = tag.Move(manifest.TagSet, v, d, vectorTime.Add(time.Duration(i)*time.Second))
		if seen[tag.Nonce] || tag.Prev[0] != before.Nonce {
			t.Fatal("the nonce is not fresh, or the one before is forgotten")
		}
		seen[tag.Nonce] = true
		if m := tag.Moves[0]; m.Version != before.Version || m.Digest != before.Digest || m.State != manifest.TagSet || !m.Time.Equal(vectorTime.Add(time.Duration(i)*time.Second)) {
			t.Fatalf("move %d: the state before is remembered as %+v", i, m)
		}
		if want := min(i, manifest.MaxMoves); len(tag.Moves) != want {
			t.Fatalf("after %d moves %d are remembered", i, len(tag.Moves))
		}
		for k, m := range tag.Moves { // the newest of them, none left out
			if want := vectorTime.Add(time.Duration(i-k) * time.Second); !m.Time.Equal(want) {
				t.Fatalf("after %d moves, number %d is of %s, want %s", i, k, m.Time, want)
			}
		}
		if body, err := tag.Encode(); err != nil || len(body) > 16<<10 {
			t.Fatalf("%d bytes, %v", len(body), err)
		}
	}
}

func TestDecodeTagRefuses(t *testing.T) {
	body, err := movedVector().Encode()
	if err != nil {
		t.Fatal(err)
	}
	long := []any{}
	for range manifest.MaxMoves + 1 {
		long = append(long, parseRegister(t, body)["moves"].([]any)[0])
	}
	edits := map[string]func(r register){
		"unknown state":             func(r register) { r["state"] = "live" },
		"no digest":                 func(r register) { delete(r, "digest") },
		"hexadecimal":               func(r register) { r["digest"] = "ab" },
		"canonical":                 func(r register) { r["version"] = "1.0" },
		"kind":                      func(r register) { r["kind"] = "version" },
		"bad nonce":                 func(r register) { r["nonce"] = "" },
		"owner":                     func(r register) { r["owner"] = "me" },
		"33 moves":                  func(r register) { r["moves"] = long },
		"move 0 has no time":        func(r register) { delete(r["moves"].([]any)[0].(map[string]any), "time") },
		"who":                       func(r register) { r["moves"].([]any)[1].(map[string]any)["who"] = "me" },
		"it is the register of":     func(r register) { r["tag"] = "other" },
		"the register of the tag P": func(r register) { r["name"] = "other" },
		"invalid tag":               func(r register) { r["tag"] = "1.0" },
		"invalid name":              func(r register) { r["name"] = "a_b" },
	}
	for says, edit := range edits {
		r := parseRegister(t, body)
		edit(r)
		_, err := manifest.DecodeTag(r.bytes(t), "my:Model", "Prod")
		wantError(t, err, manifest.ErrCorrupt, says)
	}
	for _, edit := range []func(r register){
		func(r register) { r["format"] = 2 },
		func(r register) { r["requires"] = []string{"x"} },
	} {
		r := parseRegister(t, body)
		edit(r)
		_, err := manifest.DecodeTag(r.bytes(t), "my:Model", "Prod")
		wantError(t, err, manifest.ErrNewer, "upgrade")
	}
	for n := range body[:len(body)-1] {
		if _, err := manifest.DecodeTag(body[:n], "my:Model", "Prod"); err == nil {
			t.Errorf("the first %d bytes are read as a tag", n)
		}
	}
}

func FuzzDecodeTag(f *testing.F) {
	addVectors(f, "tag*.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		const name, tag = "my:Model", "Prod"
		got, err := manifest.DecodeTag(body, name, tag)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if got.Name != name || got.Tag != tag || got.Digest == (manifest.Digest{}) || len(got.Moves) > manifest.MaxMoves {
			t.Fatalf("read as %+v", got)
		}
		next := got.Move(manifest.TagSet, got.Version, got.Digest, vectorTime)
		for _, state := range []*manifest.Tag{got, next} {
			again, err := state.Encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := manifest.DecodeTag(again, name, tag)
			if d := cmp.Diff(state, back, cmpopts.EquateEmpty()); d != "" || err != nil {
				t.Errorf("read, written and read again: %v (-first +second):\n%s", err, d)
			}
		}
	})
}

// What is a tag is nothing else, and has a key of its own.
func FuzzValidTag(f *testing.F) {
	for _, s := range []string{"prod", "A.b_c-1", "v1", "1.x", "latest", "con", "2024q3", "sha256:ab", "..", "v2beta"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if manifest.ValidTag(tag) != nil {
			return
		}
		if _, err := manifest.ParseVersion(tag); err == nil || manifest.LooksLikeVersion(tag) {
			t.Errorf("%q is a version too", tag)
		}
		if _, err := manifest.ParseDigest(tag); err == nil || manifest.IsRange(tag) || strings.EqualFold(tag, "latest") {
			t.Errorf("%q is something else too", tag)
		}
		key := manifest.TagKey("m", tag)
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
		if name, got, err := manifest.ParseTagKey(key); name != "m" || got != tag || err != nil {
			t.Errorf("%q has the key %q, which is read as %s@%s, %v", tag, key, name, got, err)
		}
	})
}
