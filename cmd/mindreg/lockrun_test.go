//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// A signal reaches the command under the lock, which ends as it likes, twice
// if need be; the lock is released.
func TestLockRunPassesSignalsOn(t *testing.T) {
	dir := t.TempDir()
	mindreg := func(args ...string) *exec.Cmd {
		cmd := exec.Command("mindreg", args...)
		cmd.Env = append(os.Environ(), "MINDREG_URL="+dir)
		cmd.Stderr = os.Stderr
		return cmd
	}
	if err := mindreg("init").Run(); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGALRM} {
		cmd := mindreg("lock", "run", "n", "--", "sh", "-c", `
			trap 'trap "echo two; exit 33" INT TERM HUP QUIT USR1 USR2 WINCH CONT ALRM; echo one' INT TERM HUP QUIT USR1 USR2 WINCH CONT ALRM
			echo ready
			for i in $(seq 1000); do sleep 0.01; done`)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for _, want := range []string{"ready", "one", "two"} {
			if !lines.Scan() || lines.Text() != want {
				cmd.Process.Kill()
				t.Fatalf("%s: the command said %q, want %q", sig, lines.Text(), want)
			}
			if want != "two" {
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 33 {
			t.Errorf("%s: exit code %d, want 33", sig, got)
		}
		if err := mindreg("lock", "run", "n", "--no-wait", "--", "true").Run(); err != nil {
			t.Errorf("%s: the lock is not released: %v", sig, err)
		}
	}
}
