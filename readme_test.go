package registry_test

import (
	"os"
	"path/filepath"
	"regexp"
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
	link     = regexp.MustCompile(`\]\(([^)#]+)`)
	unshown  = regexp.MustCompile(`(?s)<!--.*?-->`)
	codeSpan = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// Links between documents lead to files that are there.
func TestLinksLead(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, doc := range append(docs, "README.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		shown := codeSpan.ReplaceAll(unshown.ReplaceAll(text, nil), nil)
		for _, m := range link.FindAllStringSubmatch(string(shown), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d links", n)
	}
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
