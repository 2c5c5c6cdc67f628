package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns a terminal at which somebody has typed a line.
func terminal(t *testing.T, typed string) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { tty.Close() })
	if _, err := io.WriteString(master, typed); err != nil {
		t.Fatal(err)
	}
	return tty
}

// At a terminal, purge says what it is about to do, and does it only after yes.
func TestPurgeAsks(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MINDREG_URL", filepath.Join(dir, "reg"))
	t.Setenv("HOME", dir)
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	mindreg := func(stdin io.Reader, args ...string) (code int, stdout, stderr string) {
		var out, errs strings.Builder
		code = run(args, stdin, &out, &errs)
		return code, out.String(), errs.String()
	}
	for _, args := range [][]string{{"init"}, {"save", "m", file}, {"save", "m", file}, {"rm", "m@1.0.0"}} {
		if code, _, errs := mindreg(strings.NewReader(""), args...); code != 0 {
			t.Fatal(args, code, errs)
		}
	}
	for _, typed := range []string{"n\n", "\n", "\x04", "yess\n"} {
		code, out, errs := mindreg(terminal(t, typed), "purge", "m@*")
		if code != exitFailure || out != "" || !strings.Contains(errs, "nothing was purged") {
			t.Errorf("typed %q: exit %d, %q, %q", typed, code, out, errs)
		}
		if !strings.Contains(errs, "Delete 2 versions of 2 B for good, 1 of them live?") || !strings.Contains(errs, "m@1.0.0  1 B  deleted") {
			t.Errorf("it asks %q", errs)
		}
	}
	if code, out, errs := mindreg(strings.NewReader(""), "load", "m", "-"); code != 0 || out != "x" {
		t.Fatal(code, errs)
	}
	for _, typed := range []string{"y\n", "YES\n"} {
		if code, _, errs := mindreg(terminal(t, typed), "purge", "m@*"); code != 0 {
			t.Errorf("typed %q: exit %d, %s", typed, code, errs)
		}
	}
	if code, _, errs := mindreg(strings.NewReader(""), "load", "m", "-"); code != exitNotFound || !strings.Contains(errs, "all its versions were deleted") {
		t.Error(code, errs)
	}
}

// asked is a stderr at which something happens when purge asks.
type asked struct {
	text strings.Builder
	then func()
}

func (a *asked) Write(p []byte) (int, error) {
	n, err := a.text.Write(p)
	if then := a.then; then != nil && strings.Contains(a.text.String(), "[y/N]") {
		a.then = nil
		then()
	}
	return n, err
}

// What purge has asked about is purged, and not what its reference means by the
// time of the answer.
func TestPurgeDoesWhatItAsked(t *testing.T) {
	for _, ref := range []string{"m@*", "m@latest"} {
		dir := t.TempDir()
		t.Setenv("MINDREG_URL", filepath.Join(dir, "reg"))
		t.Setenv("HOME", dir)
		file := filepath.Join(dir, "f")
		if err := os.WriteFile(file, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		mindreg := func(args ...string) string {
			var out, errs strings.Builder
			if code := run(args, strings.NewReader(""), &out, &errs); code != 0 {
				t.Fatal(args, code, errs.String())
			}
			return out.String()
		}
		mindreg("init")
		mindreg("save", "m", file)
		var out strings.Builder
		errs := &asked{then: func() { mindreg("save", "m", file) }}
		if code := run([]string{"purge", ref}, terminal(t, "y\n"), &out, errs); code != 0 || out.String() != "m@1.0.0\n" {
			t.Errorf("%s: exit %d, purged %q: %s", ref, code, out.String(), errs.text.String())
		}
		if got := mindreg("load", "m@1.0.1", "-"); got != "x" {
			t.Errorf("%s: what was saved during the question is %q", ref, got)
		}
	}
}

// Interrupted while it asks, purge ends at once, and has done nothing.
func TestPurgeIsInterruptedWhileItAsks(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MINDREG_URL", filepath.Join(dir, "reg"))
	t.Setenv("HOME", dir)
	for _, args := range [][]string{{"init"}, {"save", "m", "-"}} {
		if code := run(args, strings.NewReader("x"), io.Discard, io.Discard); code != 0 {
			t.Fatal(args, code)
		}
	}
	errs := &asked{then: func() { unix.Kill(os.Getpid(), unix.SIGINT) }}
	code := run([]string{"purge", "m@*"}, terminal(t, ""), io.Discard, errs)
	if got := errs.text.String(); code != exitInterrupted || !strings.HasSuffix(got, "\nmindreg: purge: interrupted; nothing was purged\n") {
		t.Errorf("exit %d, %q", code, got)
	}
}
