package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mindtrace/registry/internal/servers"
)

var update = flag.Bool("update", false, "rewrite what the scripts in testdata compare with")

func TestMain(m *testing.M) {
	testscript.Main(servers.Wrap(m), map[string]func(){
		"mindreg": func() {
			limitMemory()
			code := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			if file := os.Getenv("MINDREG_TEST_STATUS"); file != "" { // what the kernel says of the process
				status, _ := os.ReadFile("/proc/self/status")
				os.WriteFile(file, status, 0o666)
			}
			os.Exit(code)
		},
	})
}

// The scripts use the command as a person or a shell script does. Each is
// named for what it guards.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of processes")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_DATA_HOME", e.WorkDir+"/data")
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("LocalAppData", e.WorkDir+"/data")
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/cache")
			e.Setenv("MINDREG_URL", e.WorkDir+"/reg")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"normal": normal,
			"damage": damage,
			"lines":  lines,
		},
	})
}

// exits N COMMAND ARG...: the command ends with exit code N.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if ee, ok := err.(*exec.ExitError); ok {
		got = ee.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

var (
	times  = regexp.MustCompile(`20\d\d-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z| \d\d:\d\d)`)
	ids    = regexp.MustCompile(`"id": "[0-9a-f]{32}"`)
	owners = regexp.MustCompile(`"host": ".*",(\s+)"pid": \d+,\s+"user": ".*"`)
	eras   = regexp.MustCompile(`packs/\d{10}/`)
	hexes  = regexp.MustCompile(`"[0-9a-f]{32}, created`)
	spans  = regexp.MustCompile(`"(seconds|ttl|value)": ("[0-9.]+[nµm]?s"|[0-9.e-]+)`)
	blanks = regexp.MustCompile(`(?m) +$`)
)

// normal FILE: replaces in FILE (or stdout) what differs from run to run, and
// writes it to the file normal.
func normal(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.ReadFile(args[0])
	s = strings.ReplaceAll(s, ts.Getenv("WORK"), "$WORK")
	s = times.ReplaceAllString(s, "TIME")
	s = ids.ReplaceAllString(s, `"id": "ID"`)
	s = owners.ReplaceAllString(s, `"host": "HOST",$1"pid": PID,$1"user": "USER"`)
	s = hexes.ReplaceAllString(s, `"ID, created`)
	s = eras.ReplaceAllString(s, "packs/ERA/")
	s = spans.ReplaceAllString(s, `"$1": DURATION`)
	s = blanks.ReplaceAllString(s, "")
	ts.Check(os.WriteFile(ts.MkAbs("normal"), []byte(s), 0o666))
}

// lines FILE N: writes N lines of text that are not the same.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d of a log, %x\n", i, i*i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o666))
}

// damage FILE: flips a bit in the middle of a file.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	b := []byte(ts.ReadFile(args[0]))
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}
