package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) checkoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "checkout REF",
		GroupID: "main",
		Short:   "Print a read-only directory with a version's files",
		Long: `Print a directory that holds the files of the version that REF names. The first
checkout creates it in the local cache, every byte verified. Later checkouts, by
any program of this user, return the same directory: a version is fetched once, and
its files can be mapped into memory.

The files are read-only and belong to the cache. The cache keeps the directory for
at least an hour after its last checkout. A program that needs it longer keeps its
files open, or checks it out again. If the object is one file, the directory holds
that file.`,
		Example:           `  python train.py --data "$(mindreg checkout my:data@2.1.0)"`,
		Args:              someArgs(1, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runCheckout(cmd.Context(), a, args) },
		ValidArgsFunction: a.completeRef,
	}
}

func runCheckout(ctx context.Context, a *app, args []string) error {
	if a.noCache {
		return usagef("checkout creates a directory in the cache, so it cannot run with --no-cache; mindreg load writes elsewhere")
	}
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	report, err := reg.Checkout(ctx, args[0], &registry.CheckoutOptions{Progress: a.progress()})
	if err != nil {
		return err
	}
	a.bars.stop()
	a.remark("%s", loadSummary(report.Info, time.Since(start)))
	return a.print(loaded{Info: report.Info, Dest: report.Dir}, func(w io.Writer) { fmt.Fprintln(w, report.Dir) })
}
