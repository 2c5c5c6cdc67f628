package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindtrace/registry/store"
)

func TestValidKey(t *testing.T) {
	for _, key := range []string{
		"a", "0", "registry.json", "objects/my!!model/@/a1.b10.a0~.json", "a/b/c", "-", "_", "~", "!", "@", "a..b", "a.b.c",
		"con-", "cona", "xcon", "a.con", "com", "com10", "coma", "com-", "lpt", "lptx", "aux_", // not devices
		strings.Repeat("a", 100),
		strings.Repeat(strings.Repeat("a", 99)+"/", 8) + strings.Repeat("b", 100), // 900 bytes
	} {
		if err := store.ValidKey(key); err != nil {
			t.Error(err)
		}
	}
}

func TestValidKeyRefuses(t *testing.T) {
	for _, c := range []struct{ key, says string }{
		{"", "empty segment"},
		{"/", "empty segment"},
		{"/a", "empty segment"},
		{"a/", "empty segment"},
		{"a//b", "empty segment"},
		{".", "starts or ends with a dot"},
		{"..", "starts or ends with a dot"},
		{"a/../b", "starts or ends with a dot"},
		{"./a", "starts or ends with a dot"},
		{".a", "starts or ends with a dot"}, // the temporary files of the file store
		{"a.", "starts or ends with a dot"}, // attack A50: Windows drops it
		{"a./b", "starts or ends with a dot"},
		{"A", "byte 'A' is not allowed"}, // attack A51
		{"a:b", "byte ':' is not allowed"},
		{`a\b`, `byte '\\' is not allowed`},
		{"a b", "byte ' ' is not allowed"},
		{"a\x00", `byte '\x00' is not allowed`},
		{"a\nb", `byte '\n' is not allowed`},
		{"a%62", "byte '%' is not allowed"},
		{"a+b", "byte '+' is not allowed"},
		{"a?b", "byte '?' is not allowed"},
		{"a*b", "byte '*' is not allowed"},
		{"é", "is not allowed"},
		{"e\u0301", "is not allowed"},
		{"a\xff", "is not allowed"},
		{strings.Repeat("a", 101), "segment of 101 bytes, the limit is 100"},
		{"a/" + strings.Repeat("b", 101) + "/c", "segment of 101 bytes, the limit is 100"},
		{strings.Repeat(strings.Repeat("a", 99)+"/", 9) + "b", "901 bytes, the limit is 900"},
		{strings.Repeat("a", 1<<20), "1048576 bytes, the limit is 900"},
	} {
		err := store.ValidKey(c.key)
		if !errors.Is(err, store.ErrInvalidKey) || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 1200 {
			t.Errorf("ValidKey(%.120q): %v, want %q", c.key, err, c.says)
		}
	}
}

// Attack A50: Windows opens a device instead of a file, in every directory and
// whatever the extension.
func TestKeysOfDevicesAreRefused(t *testing.T) {
	devices := []string{"con", "prn", "aux", "nul"}
	for i := range 10 {
		devices = append(devices, fmt.Sprintf("com%d", i), fmt.Sprintf("lpt%d", i))
	}
	for _, device := range devices {
		for _, key := range []string{device, device + ".json", device + ".x.y", "a/" + device + "/b", "a/" + device + ".json"} {
			err := store.ValidKey(key)
			if !errors.Is(err, store.ErrInvalidKey) || !strings.Contains(err.Error(), fmt.Sprintf("%q is a device name on Windows", device)) {
				t.Errorf("ValidKey(%q): %v", key, err)
			}
		}
	}
}

// ValidSegment allows what ValidKey allows between slashes.
func TestValidSegment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seg := rapid.StringMatching(`[a-z0-9._~!@A:-]{0,6}|con(\.x)?|com[0-9a]`).Draw(t, "segment")
		if a, b := store.ValidSegment(seg), store.ValidKey("a/"+seg+"/b"); (a == nil) != (b == nil) {
			t.Errorf("segment %q: %v, but in a key: %v", seg, a, b)
		}
	})
	if store.ValidSegment("a/b") == nil {
		t.Error("a segment has no slash")
	}
}

func TestEscape(t *testing.T) {
	for name, seg := range map[string]string{
		"": "", "model": "model", "Model": "!model", "my:model": "my!!model", "My:Model": "!my!!!model",
		"a:A": "a!!!a", "AB": "!a!b", "a.b-c_d": "a.b-c_d", "CON": "!c!o!n", "Z9": "!z9",
	} {
		if got := store.Escape(name); got != seg {
			t.Errorf("Escape(%q) = %q, want %q", name, got, seg)
		}
		if got, err := store.Unescape(seg); got != name || err != nil {
			t.Errorf("Unescape(%q) = %q, %v, want %q", seg, got, err, name)
		}
	}
}

func TestUnescapeRefuses(t *testing.T) {
	for _, c := range []struct{ seg, says string }{
		{"!", "bad escape"}, {"a!", "bad escape"}, {"!!!", "bad escape"}, {"!A", "bad escape"}, {"!1", "bad escape"},
		{"!.", "bad escape"}, {"!~", "bad escape"}, {"!\xff", "bad escape"},
		{"A", "has the byte 'A'"}, {"a:b", "has the byte ':'"}, {"a/b", "has the byte '/'"}, {"a~", "has the byte '~'"},
		{"@", "has the byte '@'"}, {"a b", "has the byte ' '"}, {"a\x00", `has the byte '\x00'`}, {"é", "has the byte"},
	} {
		got, err := store.Unescape(c.seg)
		if !errors.Is(err, store.ErrInvalidKey) || !strings.Contains(err.Error(), c.says) || got != "" {
			t.Errorf("Unescape(%q) = %q, %v, want %q", c.seg, got, err, c.says)
		}
	}
}

var genName = rapid.OneOf(
	rapid.StringMatching(`[aAbB:]{0,4}`), // these come close to each other
	rapid.StringMatching(`[A-Za-z0-9._:-]{0,20}`),
)

// Attack A51: two names are two keys, also where the file system ignores case.
func TestEscapeKeepsNamesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genName.Draw(t, "a"), genName.Draw(t, "b")
		x, y := store.Escape(a), store.Escape(b)
		if x != strings.ToLower(x) {
			t.Errorf("%q is escaped as %q, with upper case", a, x)
		}
		if (a == b) != strings.EqualFold(x, y) {
			t.Errorf("%q and %q are escaped as %q and %q", a, b, x, y)
		}
		if got, err := store.Unescape(x); got != a || err != nil {
			t.Errorf("%q is escaped as %q, which is %q, %v", a, x, got, err)
		}
	})
}

func FuzzUnescape(f *testing.F) {
	for _, seg := range []string{"", "a", "!my!!!model", "!", "a!", "!!!", "!1", "@", "é"} {
		f.Add(seg)
	}
	f.Fuzz(func(t *testing.T, seg string) {
		name, err := store.Unescape(seg)
		if err != nil {
			if !errors.Is(err, store.ErrInvalidKey) {
				t.Errorf("error %q is not ErrInvalidKey", err)
			}
			return
		}
		if got := store.Escape(name); got != seg {
			t.Errorf("%q is unescaped as %q, which is escaped as %q", seg, name, got)
		}
	})
}
