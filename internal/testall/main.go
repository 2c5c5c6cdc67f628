// Testall runs everything that a change has to pass, on a machine that has
// nothing but Go:
//
//	go run ./internal/testall           # everything
//	go run ./internal/testall servers   # only build the servers that tests need
//
// With a C compiler on the machine, tests run under the race detector, too.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/serverbin"
)

func main() {
	start := time.Now()
	if len(os.Args) == 2 && os.Args[1] == "servers" {
		if err := serversBuilt(); err != nil {
			fmt.Fprintf(os.Stderr, "testall: servers: %v\n", err)
			os.Exit(1)
		}
		fmt.Printf("%s=%s\n", serverbin.Env, os.Getenv(serverbin.Env))
		return
	}
	for _, s := range []struct {
		what string
		do   func() error
	}{
		{"formatting", formatted},
		{"vet on linux, darwin, windows", vetted},
		{"servers for the tests", serversBuilt},
		{"tests", tested},
		{"tests under the race detector, with less data", raced},
	} {
		fmt.Printf("== %s\n", s.what)
		if err := s.do(); err != nil {
			fmt.Fprintf(os.Stderr, "testall: %s: %v\n", s.what, err)
			os.Exit(1)
		}
	}
	fmt.Printf("== all passed in %s\n", time.Since(start).Round(time.Second))
}

func run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func formatted() error {
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

// vetted type-checks the parts that only other systems compile, too.
func vetted() error {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		if err := run([]string{"GOOS=" + goos, "CGO_ENABLED=0"}, "go", "vet", "./..."); err != nil {
			return fmt.Errorf("GOOS=%s: %w", goos, err)
		}
	}
	return nil
}

// serversBuilt builds the servers and tells the tests where they are.
func serversBuilt() error {
	list, err := serverbin.Build(".", os.Stdout)
	if err != nil {
		return err
	}
	return os.Setenv(serverbin.Env, list)
}

// tested runs all tests. Those of the S3 servers mostly wait, and those of the
// root take longest: they begin first, so that the others run beside them.
func tested() error {
	return run(nil, "go", "test", "-timeout=20m", "./store/s3store", ".", "./...")
}

// raced runs the tests that race under the race detector. All of them, with
// all their data, are make race.
func raced() error {
	if !canRace() {
		fmt.Println("   left out: there is no C compiler")
		return nil
	}
	race := []string{"test", "-timeout=20m", "-race", "-short"}
	if err := run(nil, "go", append(race, "-run", "TestA[0-9]|TestUpdate|TestLock|TestCancelled", ".")...); err != nil {
		return err
	}
	return run(nil, "go", append(race, "./cache", "./internal/lease", "./internal/manifest", "./material/...", "./store", "./store/filestore", "./store/memstore", "./store/storecheck")...)
}

func canRace() bool {
	out, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		return false
	}
	_, err = exec.LookPath(strings.TrimSpace(string(out)))
	return err == nil || errors.Is(err, exec.ErrDot)
}
