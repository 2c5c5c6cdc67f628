package proofs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that the guarantees name is there, in the package that they say.
func TestGuaranteesNameTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 40 {
		t.Errorf("%d tests are named", len(named))
	}
	promises := regexp.MustCompile(`(?m)^\*\*[^*]+\*\*`).FindAllIndex(text, -1)
	for i, at := range promises {
		end := len(text)
		if i+1 < len(promises) {
			end = promises[i+1][0]
		}
		if part := string(text[at[0]:end]); !strings.Contains(part, "\n> `") {
			t.Errorf("no test is named for %s", text[at[0]:at[1]])
		}
	}
	for _, name := range named {
		dir := filepath.Join("../..", filepath.FromSlash(name[1]))
		if name[1] == "registry" {
			dir = "../.."
		}
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(src), "\nfunc "+name[2]+"(t *testing.T)")
		}
		if !found {
			t.Errorf("there is no %s in %s", name[2], name[1])
		}
	}
	// The commands name tests, too.
	for _, c := range regexp.MustCompile(`-run (\w+)`).FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(string(text), "."+c[1]+"`") && c[1] != "TestSoak" {
			t.Errorf("%s is not named with its package", c[1])
		}
	}
}
