package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The race detector sees tests: a new name does not take one out unnoticed.
func TestRacingFindsTests(t *testing.T) {
	files, err := filepath.Glob("../../*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(src, -1) {
			if regexp.MustCompile(racing).Match(name[1]) {
				found++
			}
		}
	}
	if found < 20 {
		t.Errorf("%d tests of the root are run under the race detector, want at least 20", found)
	}
}
