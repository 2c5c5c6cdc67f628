package registry_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What documents and workflows say to make is a target, and make help says
// something of every target.
func TestMakeTargets(t *testing.T) {
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatchIndex(string(text), -1) {
		name := string(text[m[2]:m[3]])
		targets[name] = true
		// Above a target stands a comment; between them only settings and .PHONY.
		above := regexp.MustCompile(`(?m)^(\.PHONY:|[A-Z]+ *[?:]?=).*\n`).ReplaceAllString(string(text[:m[0]]), "")
		lines := strings.Split(strings.TrimSuffix(above, "\n"), "\n")
		if !strings.HasPrefix(lines[len(lines)-1], "# ") {
			t.Errorf("make help says nothing of %s: the line above it is %q", name, lines[len(lines)-1])
		}
	}
	if !targets["test"] || len(targets) < 10 {
		t.Fatalf("the targets are %v", targets)
	}
	said := regexp.MustCompile("(?:`|run: |          - |    )make ([a-z]+)")
	n := 0
	for name, text := range textsWith(t, ".md") {
		n += checkTargets(t, name, text, said, targets)
	}
	workflows, err := os.ReadDir(".github/workflows") // hidden, so textsWith passes it over
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range workflows {
		text, err := os.ReadFile(".github/workflows/" + w.Name())
		if err != nil {
			t.Fatal(err)
		}
		n += checkTargets(t, w.Name(), string(text), said, targets)
	}
	if n < 20 {
		t.Errorf("%d calls of make are named", n)
	}
}

func checkTargets(t *testing.T, name, text string, said *regexp.Regexp, targets map[string]bool) (n int) {
	for _, m := range said.FindAllStringSubmatch(text, -1) {
		n++
		if !targets[m[1]] {
			t.Errorf("%s says make %s, which is no target", name, m[1])
		}
	}
	return n
}
