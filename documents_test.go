package registry_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// textsWith returns the files of the repository whose name ends in one of the
// extensions, by their path from the root. Hidden directories are passed over.
func textsWith(t *testing.T, ext ...string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if slices.Contains(ext, path.Ext(name)) {
			text, err := fs.ReadFile(root, name)
			texts[name] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// documents are README.md, its neighbours, and everything in docs.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for name, text := range textsWith(t, ".md") {
		if !strings.Contains(name, "/") || strings.HasPrefix(name, "docs/") {
			docs[name] = text
		}
	}
	if len(docs) < 20 {
		t.Fatalf("%d documents", len(docs))
	}
	return docs
}

// prose calls f with each line of a document that is neither code nor a row of
// a table, and the number of the line.
func prose(text string, f func(n int, line string)) {
	fenced, indented, after := false, false, true // after an empty line
	list := false
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```"):
			fenced = !fenced
		case fenced:
		case trimmed == "":
		case strings.HasPrefix(line, "    ") && (indented || after && !list):
			indented, after = true, false
			continue
		case strings.HasPrefix(trimmed, "|"):
		default:
			if marker.MatchString(line) {
				list = true
			} else if !strings.HasPrefix(line, " ") {
				list = false
			}
			f(n, line)
		}
		indented, after = indented && trimmed == "", trimmed == ""
	}
}

var marker = regexp.MustCompile(`^\s*([*+-]|\d+\.) `)

// Lines of documents have at most 100 characters: they are read in editors and
// in diffs, too. Tables, code and headings cannot be wrapped, nor can a single
// word.
func TestDocumentsAreWrapped(t *testing.T) {
	for name, text := range documents(t) {
		prose(text, func(n int, line string) {
			words := strings.Fields(strings.TrimLeft(marker.ReplaceAllString(line, ""), "> "))
			if utf8.RuneCountInString(line) > 100 && len(words) > 1 && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "![") {
				t.Errorf("%s:%d has %d characters, not 100 at most", name, n, utf8.RuneCountInString(line))
			}
		})
	}
}

// The check of wrapped lines can fail, and passes what cannot be wrapped.
func TestProse(t *testing.T) {
	var got []string
	prose("a\n\n    code\n    code\n\n* b\n\n    c\n\n| t |\n```\nd\n```\ne\n    f\n", func(_ int, line string) { got = append(got, strings.TrimSpace(line)) })
	if want := []string{"a", "* b", "c", "e", "f"}; !slices.Equal(got, want) {
		t.Errorf("prose is %q, not %q", got, want)
	}
}

// Every document says in its first line for whom it is.
func TestDocumentsSayForWhom(t *testing.T) {
	for name, text := range documents(t) {
		if name != "README.md" && !strings.HasPrefix(name, "docs/") {
			continue
		}
		title, rest, _ := strings.Cut(text, "\n")
		if !strings.HasPrefix(title, "# ") || !strings.HasPrefix(strings.TrimSpace(rest), "For ") {
			t.Errorf("%s does not begin with a title and %q", name, "For ...")
		}
	}
}

// Every page is in a list of pages: those of docs in the README, decision
// records in their index, under a number of their own.
func TestDocumentsAreListed(t *testing.T) {
	docs, numbers := documents(t), map[string]string{}
	for name := range docs {
		dir, file := path.Split(name)
		list := "README.md"
		if dir == "docs/adr/" && file != "README.md" {
			list = "docs/adr/README.md"
			number := file[:4]
			if numbers[number] != "" {
				t.Errorf("%s and %s have one number", numbers[number], name)
			}
			numbers[number] = name
		}
		if dir != "" && !strings.Contains(docs[list], "]("+strings.TrimPrefix(name, path.Dir(list)+"/")+")") {
			t.Errorf("%s is not in the list of %s", name, list)
		}
	}
}

// Every attack and invariant that code or documents cite is in docs/attacks.md,
// under an anchor that is its number.
func TestCitedAttacksAreListed(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### <a id="([ai]\d+)"></a>([AI]\d+) `).FindAllStringSubmatch(documents(t)["docs/attacks.md"], -1) {
		if listed[m[2]] || m[1] != strings.ToLower(m[2]) {
			t.Errorf("%s is listed twice, or under the anchor %s", m[2], m[1])
		}
		listed[m[2]] = true
	}
	cited := map[string]bool{}
	for name, text := range textsWith(t, ".go", ".md") {
		for _, number := range citation.FindAllString(text, -1) {
			cited[number] = true
			if !listed[number] {
				t.Errorf("%s cites %s, which docs/attacks.md does not list", name, number)
			}
		}
	}
	if len(listed) < 60 || len(cited) < 50 {
		t.Errorf("%d are listed and %d cited", len(listed), len(cited))
	}
}

// citation is a number such as A23 or I6.
var citation = regexp.MustCompile(`\b[AI][1-9]\d?\b`)

// The name of a test says what it checks. The number of an attack says that
// only to readers of docs/attacks.md: it is in the comment.
func TestNamesAreNoNumbers(t *testing.T) {
	n := 0
	for name, text := range textsWith(t, ".go") {
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)([AI]\d)?\w*)\(`).FindAllStringSubmatch(text, -1) {
			if n++; m[2] != "" {
				t.Errorf("%s: %s is named after a number", name, m[1])
			}
		}
	}
	if n < 500 {
		t.Errorf("%d tests were looked at", n)
	}
}

// What docs/architecture.md names as a file or package is there.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	n := 0
	prosaic := documents(t)["docs/architecture.md"]
	for _, m := range regexp.MustCompile("`((?:cmd|store|version|fault|internal|material|cache|bench|docs|testdata|tools|examples)[a-z0-9_/.*-]*|[a-z_]+\\.go)`").FindAllStringSubmatch(prosaic, -1) {
		n++
		if room := toBuild.FindString(m[1]); room != "" {
			if _, err := os.Stat(filepath.FromSlash(room)); err != nil {
				continue
			}
		}
		if found, err := filepath.Glob(filepath.FromSlash(m[1])); err != nil || len(found) == 0 {
			t.Errorf("there is no %s (%v)", m[1], err)
		}
	}
	if n < 40 {
		t.Errorf("%d files and packages are named", n)
	}
}

// toBuild matches the packages that the architecture shows and that are still
// part of the root. Once they are all there, this goes.
var toBuild = regexp.MustCompile(`^(internal/(backoff|commit|fsck|gc|ledger|replicate|tree)|version|fault)`)

// docs/new-store.md lists every optional interface of stores.
func TestOptionalInterfacesAreListed(t *testing.T) {
	doc, n := documents(t)["docs/new-store.md"], 0
	for name, text := range textsWith(t, ".go") {
		if path.Dir(name) != "store" {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^type ([A-Z]\w+) interface ?\{`).FindAllStringSubmatch(text, -1) {
			if m[1] == "Store" || m[1] == "Staged" {
				continue
			}
			n++
			if !strings.Contains(doc, fmt.Sprintf("\n| `%s` | ", m[1])) {
				t.Errorf("%s has %s, which docs/new-store.md does not list", name, m[1])
			}
		}
	}
	if n < 5 {
		t.Errorf("%d optional interfaces", n)
	}
}
