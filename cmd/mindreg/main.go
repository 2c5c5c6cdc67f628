// Mindreg keeps versioned objects — models, datasets, pipelines,
// configurations — in a directory or a bucket.
//
//	mindreg save my:model ./model      store a file or directory, get a version
//	mindreg load my:model ./here       fetch it again, verified
//	mindreg --help                     everything else
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/plain"
)

func main() {
	limitMemory()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program, with everything it touches as parameters.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second interrupt kills
	}()
	out := &sticky{w: stdout}
	a := &app{stdout: out, stderr: plain.NewWriter(stderr), terminal: stderr, stdin: stdin}
	root := a.command()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(a.stderr)
	err := interruptible(ctx, &a.patient, func() error { return root.ExecuteContext(ctx) })
	a.bars.stop()
	if c := a.cached.Load(); c != nil {
		cachestore.Of(c).Release()
	}
	if err == nil {
		err = out.err // the answer did not arrive
	}
	if err != nil && !errors.As(err, new(*exitError)) {
		a.complain(ctx, err)
	}
	return exitCode(ctx, err)
}

// interruptible runs a command. After an interrupt the command has two seconds
// to clean up; a read that nothing can end, as from a terminal, may take longer,
// and is left. That is safe at any time, except where patient is set.
func interruptible(ctx context.Context, patient *atomic.Bool, command func() error) error {
	done := make(chan error, 1)
	go func() { done <- command() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(2 * time.Second):
		if patient.Load() {
			return <-done
		}
		return errLeft
	}
}

// errLeft means that a command was left before it ended.
var errLeft = errors.New("left while it was under way")
