// Testall runs every check that a change has to pass. It needs only Go:
//
//	go run ./internal/testall           # everything
//	go run ./internal/testall servers   # only build the servers that tests need
//
// If the machine has a C compiler, tests also run under the race detector.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/serverbin"
)

func main() {
	start := time.Now()
	if len(os.Args) == 2 && os.Args[1] == "servers" {
		if err := serversBuilt(os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "testall: servers: %v\n", err)
			os.Exit(1)
		}
		fmt.Printf("%s=%s\n", serverbin.Env, os.Getenv(serverbin.Env))
		return
	}
	for _, steps := range [][]step{
		{{"formatting", formatted}},
		{{"vet on linux, darwin, windows", vetted}, {"servers for the tests", serversBuilt}},
		{{"tests", tested}, {"tests under the race detector, with less data", raced}},
	} {
		if err := sideBySide(steps); err != nil {
			fmt.Fprintf(os.Stderr, "testall: %v\n", err)
			os.Exit(1)
		}
	}
	fmt.Printf("== all passed in %s\n", time.Since(start).Round(time.Second))
}

// step is one check. Its output goes to out.
type step struct {
	what string
	do   func(out io.Writer) error
}

// sideBySide runs several steps at the same time, since they often wait or use
// one thread. The output of the first step appears at once, that of the others
// in one piece at their end.
func sideBySide(steps []step) error {
	errs := make([]error, len(steps))
	outs := make([]bytes.Buffer, len(steps))
	var wg sync.WaitGroup
	for i, s := range steps {
		if i == 0 {
			fmt.Printf("== %s\n", s.what)
		}
		wg.Go(func() {
			start := time.Now()
			var out io.Writer = os.Stdout
			if i > 0 {
				out = &outs[i]
			}
			if err := s.do(out); err != nil {
				errs[i] = fmt.Errorf("%s: %w", s.what, err)
			}
			fmt.Fprintf(out, "   %s: %s\n", s.what, time.Since(start).Round(time.Second))
		})
	}
	wg.Wait()
	for i, s := range steps[1:] {
		fmt.Printf("== %s\n%s", s.what, outs[i+1].String())
	}
	return errors.Join(errs...)
}

func run(out io.Writer, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

func formatted(io.Writer) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	gofmt := filepath.Join(strings.TrimSpace(string(root)), "bin", "gofmt")
	out, err := exec.Command(gofmt, "-l", ".").Output()
	if err == nil && len(out) > 0 {
		err = fmt.Errorf("run gofmt -w on %s", strings.Fields(string(out)))
	}
	return err
}

// vetted type-checks the parts that only other systems compile, too. One cheap
// check does that: most others would look through all dependencies again.
func vetted(out io.Writer) error {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		vet := []string{"vet", "./..."}
		if goos != runtime.GOOS {
			vet = []string{"vet", "-atomic", "./..."}
		}
		if err := run(out, []string{"GOOS=" + goos, "CGO_ENABLED=0"}, "go", vet...); err != nil {
			return fmt.Errorf("GOOS=%s: %w", goos, err)
		}
	}
	return nil
}

// serversBuilt builds the servers and sets the variable that names them.
func serversBuilt(out io.Writer) error {
	list, err := serverbin.Build(".", out)
	if err != nil {
		return err
	}
	return os.Setenv(serverbin.Env, list)
}

// tested runs all tests. The tests of the S3 servers mostly wait, and those of
// the root package take longest. So these begin first, and the others run beside
// them. All have been vetted already.
func tested(out io.Writer) error {
	return run(out, nil, "go", "test", "-vet=off", "-timeout=20m", "-parallel=4", "./store/s3store", ".", "./cmd/mindreg", "./...")
}

// racing matches the tests of the root package in which several goroutines use
// one registry.
const racing = "Race|AtOnce|ManySavers|NeverRests|BesideEverything|Lock|Cancelled|TestUpdate|Strict"

// raced runs the tests that race under the race detector, one package at
// a time, beside all tests. make race runs every test, with all its data.
func raced(out io.Writer) error {
	if !canRace() {
		fmt.Fprintln(out, "   left out: there is no C compiler")
		return nil
	}
	race := []string{"test", "-vet=off", "-timeout=20m", "-race", "-short", "-p=1"}
	if err := run(out, nil, "go", append(race, "-run", racing, ".")...); err != nil {
		return err
	}
	return run(out, nil, "go", append(race, "./cache", "./internal/lease", "./material/...", "./store", "./store/filestore", "./store/memstore")...)
}

func canRace() bool {
	out, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		return false
	}
	_, err = exec.LookPath(strings.TrimSpace(string(out)))
	return err == nil || errors.Is(err, exec.ErrDot)
}
