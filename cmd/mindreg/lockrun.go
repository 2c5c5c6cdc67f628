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
	var f lockRunFlags
	cmd := &cobra.Command{
		Use:         "run NAME [flags] -- COMMAND [ARG...]",
		Annotations: changes,
		Short:       "Run a command while holding a lock",
		Long: `Wait for the lock NAME, run COMMAND, and release the lock when COMMAND ends.
Signals are passed on to COMMAND.

The exit code is that of COMMAND (128 plus the signal number if a signal killed it,
127 if there is no such command, 126 if it cannot run), 8 if waiting for the lock
timed out, or 5 if the lock was lost.

The lock is lost if the store cannot be reached for too long, or if the lock is
broken. COMMAND then gets SIGTERM, and SIGKILL a sixth of the TTL later, before the
lock expires for others. If mindreg itself is killed (kill -9), COMMAND continues,
and the lock expires after its TTL.

Under the lock, one command runs at a time, with one exception: a machine that was
stopped for longer than the TTL and goes on runs its COMMAND for another moment.
If that could do harm, give $MINDREG_LOCK_EPOCH to what COMMAND writes to. Each later
holder has a greater epoch, so the target can refuse one smaller than the last.`,
		Example: `  mindreg lock run nightly --no-wait -- ./retrain.sh
  mindreg lock run my:data --shared --timeout 1m -- ./report.sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usagef("usage: mindreg lock run NAME [flags] -- COMMAND [ARG...]")
			}
			if f.noWait && cmd.Flags().Changed("timeout") {
				return usagef("give --timeout or --no-wait, not both")
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, args []string) error { return runLockRun(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeName,
	}
	cmd.Flags().BoolVar(&f.shared, "shared", false, "share the lock with other --shared holders")
	cmd.Flags().DurationVar(&f.Timeout, "timeout", 0, "`duration` to wait for the lock (default: for ever)")
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "fail at once if the lock is held")
	cmd.Flags().DurationVar(&f.TTL, "ttl", 30*time.Second, "`duration` after which the lock of a dead holder expires")
	cmd.Flags().StringVar(&f.Why, "why", "", "`reason`, shown to processes that wait")
	return cmd
}

type lockRunFlags struct {
	registry.LockOptions
	shared, noWait bool
}

func runLockRun(ctx context.Context, a *app, f lockRunFlags, args []string) error {
	switch {
	case f.noWait:
		f.Timeout = registry.NoWait
	case f.Timeout < 0:
		return usagef("--timeout is how long to wait; to wait not at all, give --no-wait")
	}
	if f.TTL == 0 {
		f.TTL = 30 * time.Second
	}
	if f.TTL < registry.MinLockTTL {
		return usagef("--ttl is at least %s", registry.MinLockTTL)
	}
	path, err := exec.LookPath(args[1])
	if err != nil {
		return a.notRun(err)
	}
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	lock := reg.Lock
	if f.shared {
		lock = reg.RLock
	}
	return a.lockRun(ctx, lock, args[0], &f.LockOptions, exec.Command(path, args[2:]...))
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
			a.remark("mindreg: %v; the lock expires by itself", uerr)
		}
		return a.notRun(err)
	}
	err = attend(locked, child, signals, opts.TTL/6)
	if uerr := unlock(); errors.Is(uerr, registry.ErrLockLost) {
		return uerr
	} else if uerr != nil {
		a.remark("mindreg: %v; the lock expires by itself", uerr)
	}
	return err
}

// attend waits for the child, passes signals on to it, and ends it when the lock
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
			// A terminal sends it to the whole group: the child has it already.
			if ofTerminal(s) {
				if term.IsTerminal(int(os.Stdin.Fd())) {
					continue
				}
			}
			child.Process.Signal(s) // an error means that it has ended
		case <-lost:
			lost = nil
			if child.Process.Signal(syscall.SIGTERM) != nil {
				child.Process.Kill() // Windows has no SIGTERM
			}
			kill = time.After(grace)
		case <-kill:
			child.Process.Kill()
		}
	}
}

// exitError is the exit code of a child, which has printed its own errors.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// notRun returns the exit code of a child that did not start, as shells do.
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
