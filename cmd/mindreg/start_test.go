package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// initLine is a line of GODEBUG=inittrace=1.
// https://pkg.go.dev/runtime#hdr-Environment_Variables
var initLine = regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, (\d+) allocs$`)

// Every command waits for the initialisers of every package that it links, used
// or not. What they allocate is a measure of it that does not depend on the
// machine: a pattern such as [a-z]{1,220} allocates 150 kB, and takes half
// a millisecond. See GODEBUG=inittrace=1 mindreg version.
func TestStartDoesLittle(t *testing.T) {
	const (
		most  = 25_000                                      // bytes that a package of this module may allocate
		whole = 1_400_000                                   // bytes of all packages, those of dependencies included
		here  = "github.com/mindtrace/registry/cmd/mindreg" // with what its tests initialise
	)
	cmd := exec.Command("mindreg", "version") // testscript.Main has put it on the PATH
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	packages, total := 0, 0
	for _, line := range initLine.FindAllStringSubmatch(trace.String(), -1) {
		bytes, err := strconv.Atoi(line[2])
		if err != nil {
			t.Fatal(err)
		}
		packages, total = packages+1, total+bytes
		if strings.HasPrefix(line[1], "github.com/mindtrace/registry") && line[1] != here && bytes > most {
			t.Errorf("%s allocates %d bytes before main, at most %d are allowed; do it at first use", line[1], bytes, most)
		}
	}
	if packages < 20 || total > whole {
		t.Errorf("%d packages allocate %d bytes before main, at most %d are allowed:\n%s", packages, total, whole, trace.String())
	}
	t.Logf("%d packages allocate %d bytes before main", packages, total)
}
