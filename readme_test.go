package registry_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// What documents show as Go is in the examples, line by line and in the same
// order, but for comments and the checks of errors between: so it compiles,
// and does what its example says.
func TestSnippetsAreOfExamples(t *testing.T) {
	files, err := filepath.Glob("example*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources [][]string
	for _, name := range append(files, "material/materialtest/example_test.go", "store/memstore/memstore.go", "store/memstore/memstore_test.go") {
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, codeLines(string(text)))
	}
	for _, doc := range []string{"README.md", "docs/new-materializer.md", "docs/new-store.md"} {
		text, err := os.ReadFile(filepath.FromSlash(doc))
		if err != nil {
			t.Fatal(err)
		}
		blocks := goBlock.FindAllSubmatch(text, -1)
		if len(blocks) == 0 {
			t.Errorf("no Go in %s", doc)
		}
		for _, b := range blocks {
			lines := codeLines(string(b[1]))
			best := 0
			for _, src := range sources {
				best = max(best, inOrder(src, lines))
			}
			if best < len(lines) {
				t.Errorf("%s shows what no example has; the line\n\t%s\nof\n%s", doc, lines[best], b[1])
			}
		}
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	unshown  = regexp.MustCompile(`(?s)<!--.*?-->`)
	codeSpan = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor   = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	unslug   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Links between documents lead to files that are there, and to headings or
// anchors in them.
func TestLinksLead(t *testing.T) {
	docs, n := documents(t), 0
	for doc, text := range docs {
		shown := codeSpan.ReplaceAllString(unshown.ReplaceAllString(text, ""), "")
		for _, m := range link.FindAllStringSubmatch(shown, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			target := doc
			if m[1] != "" {
				target = path.Join(path.Dir(doc), m[1])
			}
			if _, err := os.Stat(filepath.FromSlash(target)); err != nil {
				t.Errorf("%s: %v", doc, err)
			} else if m[2] != "" && !slices.Contains(anchors(docs[target]), m[2]) {
				t.Errorf("%s: %s has no heading or anchor #%s", doc, target, m[2])
			}
		}
	}
	if n < 100 {
		t.Errorf("%d links", n)
	}
}

// anchors returns what a link into a document may name: its anchors, and its
// headings in the form that GitHub gives them.
func anchors(text string) (ids []string) {
	for _, m := range anchor.FindAllStringSubmatch(text, -1) {
		ids = append(ids, m[1])
	}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		slug := unslug.ReplaceAllString(strings.ToLower(anchor.ReplaceAllString(m[1], "")), "")
		ids = append(ids, strings.ReplaceAll(slug, " ", "-"))
	}
	return ids
}

// inOrder returns how many of the lines, from the first one on, come in src,
// in the same order.
func inOrder(src, lines []string) int {
	n := 0
	for _, line := range src {
		if n < len(lines) && line == lines[n] {
			n++
		}
	}
	return n
}

var comment = regexp.MustCompile(`(^|\s)//\s.*$`)

// codeLines returns the lines of a text without comments, indentation and
// empty lines.
func codeLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimSpace(line), "")); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
