package proofs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every promise of the guarantees names a test, and so does every attack.
func TestPromisesNameTests(t *testing.T) {
	for _, c := range []struct {
		doc     string
		promise *regexp.Regexp // begins one
		test    string         // begins the tests of one
		least   int
	}{
		{"guarantees.md", regexp.MustCompile(`(?m)^\*\*[^*]+\*\*`), "\n> `", 15},
		{"attacks.md", regexp.MustCompile(`(?m)^### <a id="a\d+">.*$`), "\n* Tests: ", 53},
	} {
		text := readDoc(t, c.doc)
		promises := c.promise.FindAllStringIndex(text, -1)
		if len(promises) < c.least {
			t.Errorf("%s has %d promises", c.doc, len(promises))
		}
		for i, at := range promises {
			end := len(text)
			if i+1 < len(promises) {
				end = promises[i+1][0]
			}
			if !strings.Contains(text[at[0]:end], c.test) {
				t.Errorf("%s names no test for %s", c.doc, text[at[0]:at[1]])
			}
		}
	}
}

// Every test that a document names is there, in the package that it says.
func TestDocumentsNameTests(t *testing.T) {
	tests := testsByName(t)
	n := 0
	err := fs.WalkDir(os.DirFS("../../docs"), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".md" {
			return err
		}
		for _, m := range regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`").FindAllStringSubmatch(readDoc(t, name), -1) {
			n++
			pkg := m[1]
			if pkg == "registry" {
				pkg = "."
			}
			if !slices.Contains(tests[m[2]], pkg) {
				t.Errorf("%s names %s in %s; it is in %q", name, m[2], m[1], tests[m[2]])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 100 {
		t.Errorf("%d tests are named", n)
	}
}

// The commands of the guarantees run tests that it names with their package.
func TestCommandsNameTests(t *testing.T) {
	text := readDoc(t, "guarantees.md")
	commands := regexp.MustCompile(`-run '?(\w+)`).FindAllStringSubmatch(text, -1)
	if len(commands) < 15 {
		t.Errorf("%d commands", len(commands))
	}
	for _, c := range commands {
		if !strings.Contains(text, "."+c[1]+"`") {
			t.Errorf("%s is not named with its package", c[1])
		}
	}
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// testsByName returns in which packages of the module there is a test of each
// name. The root is ".".
func testsByName(t *testing.T) map[string][]string {
	t.Helper()
	decl := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	tests := map[string][]string{}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, m := range decl.FindAllSubmatch(src, -1) {
			tests[string(m[1])] = append(tests[string(m[1])], path.Dir(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
