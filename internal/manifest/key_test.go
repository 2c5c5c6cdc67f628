package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

func TestValidName(t *testing.T) {
	for _, name := range []string{
		"a", "Z", "0", "model", "Model", "MODEL", "my-model", "my.model", "v1.2.3", "1", "resnet50",
		"my:model", "a:b:c:d", "team-a:vision.v2:resnet-50", "a--b", "a..b",
		"CON", "my:con", "con:my", "con-a", "consul", "com", "com12", "aux1", "lpt", // not devices once they are keys
		strings.Repeat("a", 100), strings.Repeat("A", 50), "a:" + strings.Repeat("b", 97),
	} {
		if err := manifest.ValidName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestValidNameRefuses(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"", "it is empty; write something like my:model"},
		{"my_model", `underscores are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example "my-model"`},
		{"my__model", `underscores are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example "my-model"`},
		{"_", "underscores are not allowed"},
		{"_private", `underscores are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example "private"`},
		{"my/model", `slashes are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example "my:model"`},
		{"/my//model/", `for example "my:model"`},
		{"my model", `blanks are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example "my-model"`},
		{"  my  model ", `blanks are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example "my-model"`},
		{"team a/my_model", `for example "team-a:my-model"`},
		{"my\tmodel", `"\t" are not allowed`},
		{"my\nmodel", `"\n" are not allowed`},
		{"my\x00model", `"\x00" are not allowed`},
		{`my\model`, `"\\" are not allowed`},
		{"my:model@1.0.0", `"@" are not allowed`}, // the segment between name and version (docs/attacks.md, A52)
		{"a!b", `"!" are not allowed`},            // it begins an escape
		{"a~b", `"~" are not allowed`},
		{"a*b", `"*" are not allowed`},
		{"modèle", `"è" are not allowed`},
		{"模型", `"模型" are not allowed`},
		{"e\u0301", "are not allowed"}, // two normal forms of one name (docs/attacks.md, A51)
		{"a\xff", `"\xff" are not allowed`},
		{"a" + strings.Repeat("\xdf", 1<<20), "are not allowed"}, // an error that fits a line
		{"-a", `start and end with a letter or a digit, for example "a"`},
		{"a-", `start and end with a letter or a digit, for example "a"`},
		{".a", `start and end with a letter or a digit, for example "a"`},
		{"a.", `start and end with a letter or a digit, for example "a"`}, // Windows drops the dot (docs/attacks.md, A50)
		{"..", "start and end with a letter or a digit"},
		{":", "start and end with a letter or a digit"},
		{"a:", `start and end with a letter or a digit, for example "a"`},
		{":a", `start and end with a letter or a digit, for example "a"`},
		{"a::b", `start and end with a letter or a digit, for example "a:b"`},
		{"a:-b", `start and end with a letter or a digit, for example "a:b"`},
		{"a-:.b", `start and end with a letter or a digit, for example "a:b"`},
		{strings.Repeat("a", 101), "too long: 101 bytes in a key, where a capital letter and a colon count twice; the limit is 100"},
		{strings.Repeat("A", 51), "too long: 102 bytes"},
		{strings.Repeat("a:", 34) + "a", "too long: 103 bytes"},
		{"con." + strings.Repeat("a", 96), "device name on Windows"},    // as long as may be, so that "my:" does not help
		{"a" + strings.Repeat("_a", 50), "underscores are not allowed"}, // too long to suggest anything
	} {
		err := manifest.ValidName(c.name)
		wantError(t, err, manifest.ErrInvalidName, c.want)
		checkSuggestion(t, c.name, err)
		if err != nil && len(err.Error()) > 1200 {
			t.Errorf("ValidName(%.40q...): the error has %d bytes", c.name, len(err.Error()))
		}
	}
}

// checkSuggestion checks that what an error suggests is a name.
func checkSuggestion(t testing.TB, name string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, before := range []string{"for example ", "something like "} {
		_, after, found := strings.Cut(err.Error(), before)
		if !found {
			continue
		}
		var suggested string
		if _, serr := fmt.Sscanf(after, "%q", &suggested); serr != nil {
			suggested = after
		}
		if verr := manifest.ValidName(suggested); verr != nil {
			t.Errorf("for %q the error suggests %q, but %v", name, suggested, verr)
		}
	}
}

// Windows has devices with these names in every directory, with every extension:
// data written to a key with such a name would be lost (see docs/attacks.md, A50).
func TestDeviceNamesAreRefused(t *testing.T) {
	devices := []string{"con", "prn", "aux", "nul"}
	for i := range 10 {
		devices = append(devices, fmt.Sprintf("com%d", i), fmt.Sprintf("lpt%d", i))
	}
	for _, device := range devices {
		for _, name := range []string{device, device + ".v1", device + ".x.y"} {
			err := manifest.ValidName(name)
			wantError(t, err, manifest.ErrInvalidName,
				fmt.Sprintf("%q is a device name on Windows; write something like %q", device, "my:"+name))
			checkSuggestion(t, name, err)
		}
	}
}

// A colon in a path of Windows names an alternate data stream: data written to one
// would be lost (see docs/attacks.md, A50).
func TestKeysHaveNoColon(t *testing.T) {
	key := manifest.VersionKey("My:Model", manifest.Version{Major: 1, Pre: "RC"})
	if want := "objects/!my!!!model/@/a1.a0.a0-!1_r_c!!.json"; key != want {
		t.Errorf("key %q, want %q", key, want)
	}
}

var genName = rapid.OneOf(
	rapid.SampledFrom([]string{"a", "A", "aa", "aA", "Aa", "a:a", "a:A", "a-a", "a.a"}),
	rapid.StringMatching(`[A-Za-z0-9]([A-Za-z0-9.-]{0,6}[A-Za-z0-9])?(:[A-Za-z0-9]([A-Za-z0-9.-]{0,6}[A-Za-z0-9])?){0,3}`),
).Filter(func(name string) bool { return manifest.ValidName(name) == nil })

func TestVersionRegisterKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name, v := genName.Draw(t, "name"), genVersion.Draw(t, "v")
		key := manifest.VersionKey(name, v)
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(key, manifest.VersionsPrefix(name)) || !strings.HasPrefix(key, manifest.ObjectsPrefix) {
			t.Errorf("key %q does not begin with %q", key, manifest.VersionsPrefix(name))
		}
		gotName, gotV, err := manifest.ParseVersionRegisterKey(key)
		if gotName != name || gotV != v || err != nil {
			t.Errorf("the key %q of %s@%s is read as %s@%s, %v", key, name, v, gotName, gotV, err)
		}
	})
}

// Milestones list before all registers, the highest version first.
func TestMilestoneKeys(t *testing.T) {
	release := rapid.Map(genVersion, func(v manifest.Version) manifest.Version { v.Pre = ""; return v })
	rapid.Check(t, func(t *rapid.T) {
		name, v, w := genName.Draw(t, "name"), release.Draw(t, "v"), release.Draw(t, "w")
		key := manifest.MilestoneKey(name, v)
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
		gotName, got, err := manifest.ParseMilestoneKey(key)
		if gotName != name || got != v || err != nil {
			t.Errorf("the key %q of %s@%s is read as %s@%s, %v", key, name, v, gotName, got, err)
		}
		if order := strings.Compare(key, manifest.MilestoneKey(name, w)); order != w.Compare(v) {
			t.Errorf("the milestones of %s and %s list in the order %d", v, w, order)
		}
		if key >= manifest.VersionKey(name, w) {
			t.Errorf("%q does not list before the register of %s", key, w)
		}
	})
	if key := manifest.MilestoneKey("m", manifest.Version{Major: 1, Patch: 12345}); key != "objects/m/@/!s8.s9.o8/76/54~" {
		t.Errorf("key %q", key)
	}
}

// Different names have different keys, also where case is ignored: otherwise one
// object would overwrite the other (see docs/attacks.md, A51). No key is
// a directory above another, as with objects "a" and "a/1.json" (A52).
func TestKeysOfNamesNeverClash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genName.Draw(t, "a")
		b := rapid.OneOf(genName, rapid.Map(genName, func(s string) string { return a + ":" + s })).Draw(t, "b")
		if a == b || manifest.ValidName(b) != nil {
			t.Skip("equal or too long")
		}
		p, q := manifest.VersionsPrefix(a), manifest.VersionsPrefix(b)
		if strings.EqualFold(p, q) || strings.HasPrefix(strings.ToLower(p), strings.ToLower(q)) || strings.HasPrefix(strings.ToLower(q), strings.ToLower(p)) {
			t.Errorf("names %q and %q have the prefixes %q and %q", a, b, p, q)
		}
	})
}

func TestParseVersionRegisterKeyRefuses(t *testing.T) {
	for _, key := range []string{
		"", "objects/", "objects/a/@/", "objects/a/@/.json", "registry.json",
		"objects/a/@/a1.a0.a0~", "objects/a/@/a1.a0.a0~.JSON", "objects/a/@/1.0.0.json", "objects/a/@/a1.a0.a0~.json.json",
		"objects/a/a1.a0.a0~.json", "objects/a/@a1.a0.a0~.json", "objects/@/a1.a0.a0~.json", "objects//@/a1.a0.a0~.json",
		"object/a/@/a1.a0.a0~.json", "/objects/a/@/a1.a0.a0~.json", "tags/a/@/a1.a0.a0~.json",
		"objects/A/@/a1.a0.a0~.json", "objects/a:b/@/a1.a0.a0~.json", "objects/a/b/@/a1.a0.a0~.json", "objects/a_b/@/a1.a0.a0~.json",
		"objects/!/@/a1.a0.a0~.json", "objects/!1/@/a1.a0.a0~.json", "objects/a!!/@/a1.a0.a0~.json", "objects/con/@/a1.a0.a0~.json",
		"a/@/a1.a0.a0~.json", "objects/a/@/a1.a0.a0~/@/a1.a0.a0~.json", "objects/a/@/@/a1.a0.a0~.json",
	} {
		if name, v, err := manifest.ParseVersionRegisterKey(key); err == nil {
			t.Errorf("%q is read as %s@%s", key, name, v)
		}
	}
}

func TestPackKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := manifest.Pack{Era: rapid.Uint64Range(0, 1e10-1).Draw(t, "era"), ID: genDigest.Draw(t, "id")}
		key := p.Key()
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
		if got, err := manifest.ParsePackKey(key); got != p || err != nil {
			t.Errorf("%q is read as %+v, %v", key, got, err)
		}
		q := manifest.Pack{Era: rapid.Uint64Range(0, 1e10-1).Draw(t, "another era"), ID: p.ID}
		if (p.Era < q.Era) != (key < q.Key()) {
			t.Errorf("eras %d and %d have the keys %q and %q", p.Era, q.Era, key, q.Key())
		}
	})
}

func TestParsePackKeyRefuses(t *testing.T) {
	id := strings.Repeat("ab", 32)
	good := "packs/0000002877/" + id[:2] + "/" + id
	if p, err := manifest.ParsePackKey(good); err != nil || p.Era != 2877 || p.ID.Hex() != id {
		t.Fatalf("%q is read as %+v, %v", good, p, err)
	}
	for _, key := range []string{
		"", "packs", "packs/", good + "/", "/" + good, good + "0", good[:len(good)-1], strings.ToUpper(good), good + ".json",
		strings.Replace(good, "packs", "pack", 1),
		strings.Replace(good, "0000002877", "2877", 1),
		strings.Replace(good, "0000002877", "00000002877", 1),
		strings.Replace(good, "0000002877", "-000002877", 1),
		strings.Replace(good, "0000002877", "+000002877", 1),
		strings.Replace(good, "0000002877", "0x00002877", 1),
		strings.Replace(good, "0000002877", "00000_2877", 1),
		strings.Replace(good, "0000002877", "10000000000", 1), // would list before every era
		strings.Replace(good, "0000002877", "18446744073709551615", 1),
		strings.Replace(good, "/"+id[:2]+"/", "/00/", 1),
		strings.Replace(good, "/"+id[:2]+"/", "/", 1),
		strings.ReplaceAll(good, id[:2], strings.ToUpper(id[:2])),
		"packs/0000002877/zz/" + strings.Repeat("z", 64),
	} {
		if p, err := manifest.ParsePackKey(key); err == nil || !strings.Contains(err.Error(), "not that of a pack") {
			t.Errorf("%q is read as %+v, %v", key, p, err)
		}
	}
}

func TestDigestText(t *testing.T) {
	d := manifest.Sum([]byte("abc"))
	const digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2
	if d.Hex() != digits || d.String() != "sha256:"+digits {
		t.Errorf("digest of abc is %s", d)
	}
	if got, err := manifest.ParseDigest("sha256:" + digits); got != d || err != nil {
		t.Errorf("read as %s, %v", got, err)
	}
	for in, want := range map[string]string{
		"":                                       `does not start with "sha256:"`,
		digits:                                   `does not start with "sha256:"`,
		"SHA256:" + digits:                       `does not start with "sha256:"`,
		"md5:" + digits:                          `does not start with "sha256:"`,
		"sha256:":                                "64 lower-case hexadecimal digits",
		"sha256:" + digits[1:]:                   "64 lower-case hexadecimal digits",
		"sha256:" + digits + "0":                 "64 lower-case hexadecimal digits",
		"sha256:" + strings.ToUpper(digits):      "64 lower-case hexadecimal digits",
		"sha256:" + digits[1:] + "g":             "64 lower-case hexadecimal digits",
		"sha256:" + digits[1:] + " ":             "64 lower-case hexadecimal digits",
		"sha256:" + strings.Repeat("\u00e9", 32): "64 lower-case hexadecimal digits",
	} {
		if _, err := manifest.ParseDigest(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseDigest(%q): %v, want %q", in, err, want)
		}
	}
}
