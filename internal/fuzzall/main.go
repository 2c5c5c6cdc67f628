// Fuzzall runs every fuzz target of the module for the given time, one after
// the other, and stops at the first failure:
//
//	go run ./internal/fuzzall 30s
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var target = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: fuzzall DURATION")
		os.Exit(2)
	}
	files, err := exec.Command("git", "ls-files", "*_test.go").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzzall:", err)
		os.Exit(1)
	}
	n := 0
	for _, file := range strings.Fields(string(files)) {
		src, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, m := range target.FindAllSubmatch(src, -1) {
			n++
			cmd := exec.Command("go", "test", "-run=^$", "-fuzz=^"+string(m[1])+"$", "-fuzztime="+os.Args[1], "./"+filepath.ToSlash(filepath.Dir(file)))
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Run(); err != nil {
				fmt.Fprintf(os.Stderr, "fuzzall: %s: %v\n", m[1], err)
				os.Exit(1)
			}
		}
	}
	fmt.Printf("fuzzall: %d targets, %s each, nothing found\n", n, os.Args[1])
}
