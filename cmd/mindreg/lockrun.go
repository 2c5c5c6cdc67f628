package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	registry "github.com/mindtrace/registry"
)

func (a *app) lockRunCommand() *cobra.Command {
	var shared, noWait bool
	opts := &registry.LockOptions{}
	cmd := &cobra.Command{
		Use:   "run NAME [flags] -- COMMAND [ARG...]",
		Short: "Run a command while holding a lock",
		Long: `Wait for the lock NAME, run COMMAND, and release the lock when it ends. The exit
code is that of COMMAND (128 and the signal, if one has killed it; 127 if there is
no such command, 126 if it cannot be run), or 8 if the lock was not to be had in
time. Signals are passed on.

If the lock is lost, because the store cannot be reached or somebody has broken
it, COMMAND gets SIGTERM, and is killed a sixth of the TTL later, before others
can see the lock expired; the exit code is 5.

If mindreg itself is killed (kill -9), COMMAND goes on, and the lock ends with
its TTL.

The lock keeps two such commands from running at the same time. It cannot keep
one that was stopped for longer than the TTL, with its machine, from going on
for a moment. $MINDREG_LOCK_EPOCH is greater for each later holder: what COMMAND
writes to can refuse a smaller one than it has seen.`,
		Example: `  mindreg lock run nightly --no-wait -- ./retrain.sh
  mindreg lock run my:data --shared --timeout 1m -- ./report.sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usagef("usage: mindreg lock run NAME [flags] -- COMMAND [ARG...]")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case noWait && cmd.Flags().Changed("timeout"):
				return usagef("--timeout and --no-wait exclude each other")
			case noWait:
				opts.Timeout = registry.NoWait
			case opts.Timeout < 0:
				return usagef("--timeout is for how long to wait; for not at all, write --no-wait")
			}
			if opts.TTL == 0 {
				opts.TTL = 30 * time.Second
			}
			if opts.TTL < registry.MinLockTTL {
				return usagef("--ttl is at least %s", registry.MinLockTTL)
			}
			path, err := exec.LookPath(args[1])
			if err != nil {
				return a.notRun(err)
			}
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			lock := reg.Lock
			if shared {
				lock = reg.RLock
			}
			return a.lockRun(cmd.Context(), lock, args[0], opts, exec.Command(path, args[2:]...))
		},
		ValidArgsFunction: a.completeName,
	}
	f := cmd.Flags()
	f.BoolVar(&shared, "shared", false, "share the lock with others who say so")
	f.DurationVar(&opts.Timeout, "timeout", 0, "for how `long` to wait for the lock (default: for ever)")
	f.BoolVar(&noWait, "no-wait", false, "do not wait for the lock")
	f.DurationVar(&opts.TTL, "ttl", 30*time.Second, "for how `long` the lock outlives a holder that has died")
	f.StringVar(&opts.Why, "why", "", "`reason`, told to those who wait")
	return cmd
}

type lockFunc = func(context.Context, string, *registry.LockOptions) (context.Context, func() error, error)

func (a *app) lockRun(ctx context.Context, lock lockFunc, name string, opts *registry.LockOptions, child *exec.Cmd) error {
	// An interrupt ends the waiting, but neither the lock nor the child.
	waiting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopWaiting := context.AfterFunc(ctx, cancel)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	locked, unlock, err := lock(waiting, name, opts)
	if err != nil {
		return err
	}
	a.patient.Store(true) // from here on, only the end of the child ends us
	if !stopWaiting() {
		return errors.Join(context.Cause(ctx), unlock())
	}
	child.Stdin, child.Stdout, child.Stderr = a.stdin, a.stdout.w, a.terminal
	child.Env = append(os.Environ(), "MINDREG_LOCK_EPOCH="+strconv.FormatUint(registry.LockEpoch(locked), 10))
	if err := child.Start(); err != nil {
		if uerr := unlock(); uerr != nil {
			a.remark("mindreg: %v; the lock ends by itself", uerr)
		}
		return a.notRun(err)
	}
	err = attend(locked, child, signals, opts.TTL/6)
	if uerr := unlock(); errors.Is(uerr, registry.ErrLockLost) {
		return uerr
	} else if uerr != nil {
		a.remark("mindreg: %v; the lock ends by itself", uerr)
	}
	return err
}

// attend waits for the child, passes signals on to it, and ends it if the lock
// is lost.
func attend(locked context.Context, child *exec.Cmd, signals <-chan os.Signal, grace time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- child.Wait() }()
	lost := locked.Done()
	var kill <-chan time.Time
	for {
		select {
		case err := <-done:
			return childError(err)
		case s := <-signals:
			// From a terminal, the child has it already: the whole group gets it.
			if ofTerminal(s) {
				if term.IsTerminal(int(os.Stdin.Fd())) {
					continue
				}
			}
			child.Process.Signal(s) // an error means that it has ended
		case <-lost:
			lost = nil
			if child.Process.Signal(syscall.SIGTERM) != nil {
				child.Process.Kill() // there is no such signal here
			}
			kill = time.After(grace)
		case <-kill:
			child.Process.Kill()
		}
	}
}

// exitError is the end of a child that has said itself what was wrong.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// notRun is the end of a child that has not begun: what shells say then.
func (a *app) notRun(err error) error {
	a.say(err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return &exitError{127}
	}
	return &exitError{126}
}

func childError(err error) error {
	ee := (*exec.ExitError)(nil)
	if !errors.As(err, &ee) {
		return err
	}
	if ws, ok := ee.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return &exitError{128 + int(ws.Signal())}
	}
	return &exitError{ee.ExitCode()}
}
