package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/store"
)

// Scripts depend on exit codes: one table says which error has which.
func TestExitCodes(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{fs.ErrNotExist, 1},
		{usagef("wrong"), 2},
		{registry.ErrInvalidName, 2},
		{registry.ErrInvalidVersion, 2},
		{registry.ErrInvalidRef, 2},
		{registry.ErrInvalidTag, 2},
		{store.ErrLocation, 2},
		{registry.ErrTagged, 5},
		{&partialError{registry.ErrNotFound}, 3},
		{registry.ErrNotFound, 4},
		{registry.ErrDeleted, 4},
		{registry.ErrPurged, 4},
		{registry.ErrExists, 5},
		{registry.ErrConflict, 5},
		{registry.ErrNotEmpty, 5},
		{fs.ErrExist, 5},
		{fs.ErrPermission, 6},
		{&fs.PathError{Op: "mkdir", Path: "/proc/x", Err: syscall.EROFS}, 6},
		{registry.ErrIntegrity, 7},
		{errProblems, 7},
		{registry.ErrLockTimeout, 8},
		{registry.ErrLockLost, 5},
		{store.ErrUnavailable, 9},
		{registry.ErrNoRegistry, 10},
	} {
		err := c.err
		if err != nil {
			err = &registry.Error{Op: "save", Ref: "m", Err: fmt.Errorf("context: %w", c.err)}
		}
		if got := exitCode(context.Background(), err); got != c.want {
			t.Errorf("%v has exit code %d, want %d", c.err, got, c.want)
		}
		if c.err != nil && !errors.As(c.err, new(*usageError)) {
			if got := exitCode(cancelled, err); got != 130 {
				t.Errorf("%v after an interrupt has exit code %d, want 130", c.err, got)
			}
		}
	}
}

// An interrupted save ends soon, with exit code 130, and leaves nothing to be
// seen; the next save works.
func TestInterruptedSave(t *testing.T) {
	dir := t.TempDir()
	mindreg := func(args ...string) *exec.Cmd {
		cmd := exec.Command("mindreg", args...) // testscript.Main has put it on the PATH
		cmd.Env = append(os.Environ(), "MINDREG_URL="+dir)
		return cmd
	}
	if out, err := mindreg("init").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := mindreg("save", "m", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(in, zeros{}, 50<<20); err != nil {
		t.Fatal(err)
	}
	// It waits for more, in the middle of a read that cannot be cancelled.
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		t.Fatal("an interrupted save does not end")
	}
	if ee, ok := err.(*exec.ExitError); !ok || ee.ExitCode() != 130 {
		t.Errorf("interrupted save ended with %v: %s", err, &stderr)
	}
	if out, err := mindreg("ls", "-o", "json").Output(); err != nil || strings.TrimSpace(string(out)) != "[]" {
		t.Errorf("after an interrupted save there is %s, %v", out, err)
	}
	cmd = mindreg("save", "m", "-")
	cmd.Stdin = strings.NewReader("x")
	if out, err := cmd.Output(); err != nil || string(out) != "m@1.0.0\n" {
		t.Errorf("next save: %s, %v", out, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
