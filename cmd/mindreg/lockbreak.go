package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) lockBreakCommand() *cobra.Command {
	var f lockBreakFlags
	cmd := &cobra.Command{
		Use:         "break NAME",
		Annotations: changes,
		Short:       "Take a lock away from its holders",
		Long: `Take the lock NAME away from all its holders, exclusive or shared. Use it if a
holder hangs: the lock of a holder that died expires without it. A holder
continues until it next renews the lock, at most a third of the lock's TTL later;
then it learns that the lock is lost.`,
		Example:           `  mindreg lock break nightly --why "it hangs"`,
		Args:              someArgs(1, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runLockBreak(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeHeldLock,
	}
	cmd.Flags().StringVar(&f.why, "why", "", "`reason`, shown to the holders")
	return cmd
}

type lockBreakFlags struct{ why string }

// brokenLock is the JSON output of lock break.
type brokenLock struct {
	Name string `json:"name"`
}

func runLockBreak(ctx context.Context, a *app, f lockBreakFlags, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	if _, err := reg.BreakLock(ctx, args[0], &registry.BreakLockOptions{Why: f.why}); err != nil {
		return err
	}
	return a.print(brokenLock{args[0]}, func(w io.Writer) { fmt.Fprintln(w, args[0]) })
}
