package manifest_test

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindtrace/registry/internal/manifest"
)

func TestValidPath(t *testing.T) {
	for _, p := range []string{"a", "a/b/c", "a b", ".a", "...", "a..b", "é", "😀", `a\b`, "a:b", "con", "A", strings.Repeat("a", 4096)} {
		if err := manifest.ValidPath(p); err != nil {
			t.Error(err)
		}
	}
	const unclean = "not clean, relative and inside the object"
	for p, want := range map[string]string{
		"": unclean, ".": unclean, "..": unclean, "/": unclean, "/a": unclean, "a/": unclean, "a//b": unclean,
		"./a": unclean, "a/.": unclean, "../a": unclean, "a/../b": unclean, "a/..": unclean,
		"a\xff":                   "not valid UTF-8",
		"a\x00b":                  "zero byte",
		strings.Repeat("a", 4097): "has 4097 bytes, the limit is 4096",
	} {
		if err := manifest.ValidPath(p); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("ValidPath(%.40q): %v, want %q", p, err, want)
		}
	}
}

func TestValidLink(t *testing.T) {
	for _, c := range []struct{ link, target string }{
		{"l", "a"}, {"l", "a/b"}, {"l", "."}, {"l", "..."}, {"l", "..a"}, {"l", "a/..."}, {"l", "a//b"}, {"l", "a/./b"},
		{"d/l", ".."}, {"d/l", "../"}, {"d/l", "../a"}, {"d/l", "..//a"}, {"d/e/l", "../.."}, {"d/e/l", "../../a/b"},
		{"l", "ab:c"}, {"l", "é"}, {"l", strings.Repeat("a", 4096)},
	} {
		if err := manifest.ValidLink(c.link, c.target); err != nil {
			t.Error(err)
		}
	}
	const out, middle = "leads out of the object", "goes up in the middle of its target"
	for _, c := range []struct{ link, target, want string }{
		{"l", "", "has no target"},
		{"l", "/", out}, {"l", "/etc/passwd", out}, {"l", "//host/share", out},
		{"l", "..", out}, {"l", "../", out}, {"l", "../x", out}, {"l", "../l", out},
		{"d/l", "../..", out}, {"d/l", "../../d", out}, {"d/e/l", "../../../x", out},
		{"l", "C:", out}, {"l", "C:/Windows", out}, {"l", "c:x", out}, // a drive, where there are drives
		{"l", `..\x`, "backslash"}, {"l", `\\host\share`, "backslash"}, {"l", "a\x00b", "zero byte"},
		{"l", "a\xff", "not valid UTF-8"}, {"l", strings.Repeat("a", 4097), "more than 4096 bytes"},
		// Up from where "a" leads to, if that is a link.
		{"l", "a/..", middle}, {"l", "a/../..", middle}, {"l", "a/../../b", middle}, {"l", "./..", middle}, {"l", "./../x", middle},
		{"d/l", "../a/../../x", middle}, {"d/l", "..//../x", middle},
	} {
		if err := manifest.ValidLink(c.link, c.target); err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
			t.Errorf("ValidLink(%q, %.40q): %v, want %q", c.link, c.target, err, c.want)
		}
	}
}

// However links lead to each other, walking along one never leaves the object.
func TestNoChainOfLinksLeadsOut(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "c", "..", "..", ".", ""})
	rapid.Check(t, func(t *rapid.T) {
		links := map[string]string{}
		for _, p := range []string{"a", "b", "d/a", "d/b", "d/e/a", "d/e/c"} {
			target := strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, "target"), "/")
			if manifest.ValidLink(p, target) == nil {
				links[p] = target
			}
		}
		for p := range links {
			at, rest := ".", p
			for hops := 0; rest != "" && hops < 100; {
				var next string
				next, rest, _ = strings.Cut(rest, "/")
				if next == ".." && at == "." {
					t.Fatalf("%q leads out, by way of %v", p, links)
				}
				at = path.Join(at, next)
				if target, ok := links[at]; ok {
					hops++
					at, rest = path.Dir(at), target+"/"+rest
				}
			}
		}
	})
}

func TestFileModes(t *testing.T) {
	for _, c := range []struct {
		file    manifest.File
		regular bool
		want    fs.FileMode
	}{
		{manifest.File{Path: "a"}, true, 0o666},
		{manifest.File{Path: "a", Exec: true}, true, 0o777},
		{manifest.File{Path: "a", Dir: true}, false, fs.ModeDir | 0o777},
		{manifest.File{Path: "a", Link: "b"}, false, fs.ModeSymlink | 0o777},
	} {
		if c.file.Regular() != c.regular || c.file.Mode() != c.want {
			t.Errorf("%+v: regular %v, mode %v", c.file, c.file.Regular(), c.file.Mode())
		}
	}
}

// What no load would accept must not be saved.
func TestSealRefusesWhatIsNoTree(t *testing.T) {
	sum := manifest.Sum(nil)
	for _, c := range []struct {
		why   string
		files []manifest.File
		want  string
	}{
		{"file below file", []manifest.File{{Path: "a", SHA256: sum}, {Path: "a-b", SHA256: sum}, {Path: "a/b", SHA256: sum}}, `"a/b" lies below "a"`},
		{"file below link", []manifest.File{{Path: "a", Link: "b"}, {Path: "a/b", SHA256: sum}}, `"a/b" lies below "a"`},
		{"directory listed with entries", []manifest.File{{Path: "a", Dir: true}, {Path: "a/b", SHA256: sum}}, `"a/b" lies below "a", which is not a directory with entries`},
		{"deep below", []manifest.File{{Path: "a", SHA256: sum}, {Path: "a/b/c/d", SHA256: sum}}, `"a/b/c/d" lies below "a"`},
		{"unsorted", []manifest.File{{Path: "b", SHA256: sum}, {Path: "a", SHA256: sum}}, `path "a" comes after "b"`},
		{"twice", []manifest.File{{Path: "a", SHA256: sum}, {Path: "a", SHA256: sum}}, `path "a" occurs twice`},
		{"no digest", []manifest.File{{Path: "a"}}, `"a" has no digest`},
		{"leads out", []manifest.File{{Path: "a", Link: "../a"}}, "leads out"},
		{"sizes overflow", []manifest.File{{Path: "a", Size: 1 << 62, SHA256: sum}, {Path: "b", Size: 1 << 62, SHA256: sum}}, "add up to more than 2⁶³-1"},
		{"number in metadata", nil, "integer beyond"},
	} {
		m := manifest.Manifest{Content: manifest.Content{Files: c.files}}
		if c.files == nil {
			m.Content.Metadata = []byte("9007199254740993")
		}
		if err := m.Seal(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.why, err, c.want)
		}
	}
	ok := manifest.Manifest{Content: manifest.Content{Files: []manifest.File{
		{Path: "a", SHA256: sum}, {Path: "a-b", SHA256: sum}, {Path: "a.b/c", SHA256: sum}, {Path: "aa", Dir: true}, {Path: "b/a", SHA256: sum},
	}}}
	if err := ok.Seal(); err != nil {
		t.Error(err)
	}
}
