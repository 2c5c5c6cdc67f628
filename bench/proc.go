package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// command is a child process to be measured.
type command struct {
	dir  string
	env  []string
	args []string
}

// sh is a command line for the shell with arguments $1, $2, ...
func sh(script string, args ...string) command {
	return command{args: append([]string{"sh", "-ec", script, "sh"}, args...)}
}

func (c command) cmd() *exec.Cmd {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), c.env...)
	return cmd
}

// measured runs the command and returns what it cost, and what it printed.
// This process stays small: Linux counts the memory of the parent, which the
// child shares until it is another program, as the child's.
func (c command) measured() (sample, []byte, error) {
	var out, errs bytes.Buffer
	cmd := c.cmd()
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	s := sample{Seconds: time.Since(start).Seconds()}
	if cmd.ProcessState != nil {
		s.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			s.RSS = maxRSS(ru)
			s.Switches = float64(ru.Nvcsw + ru.Nivcsw)
		}
	}
	if err != nil {
		return s, nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, tail(errs.Bytes()))
	}
	return s, out.Bytes(), nil
}

// run is measured for a command whose output does not matter.
func (c command) run() (sample, error) {
	s, _, err := c.measured()
	return s, err
}

// must runs the command for its effect.
func (c command) must() error {
	_, err := c.run()
	return err
}

// worker runs a loop of this program in a process of its own, which measures
// itself.
func (e *env) worker(args ...string) command {
	return command{args: append([]string{e.self, "worker"}, args...), env: e.clientEnv}
}

// reported runs a worker and returns its report of itself.
func (c command) reported() (sample, error) {
	own, out, err := c.measured()
	if err != nil {
		return own, err
	}
	var s sample
	if err := json.Unmarshal(out, &s); err != nil {
		return s, fmt.Errorf("%s: %w in %q", strings.Join(c.args, " "), err, tail(out))
	}
	s.RSS = own.RSS
	return s, nil
}

func maxRSS(ru *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return int64(ru.Maxrss) // bytes there
	}
	return int64(ru.Maxrss) << 10
}

// cpu is the user and system time of this process so far, in seconds.
func cpu() float64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0
	}
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

func tail(b []byte) []byte {
	b = bytes.TrimSpace(b)
	return b[max(0, len(b)-2000):]
}
