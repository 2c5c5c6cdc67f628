package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/plain"
)

func (a *app) cleanCommand() *cobra.Command {
	var f cleanFlags
	cmd := &cobra.Command{
		Use:     "clean [DIR]",
		GroupID: "admin",
		Short:   "Remove leftovers of interrupted loads from a directory",
		Long: `Remove the leftovers of interrupted loads from DIR, or from the current directory,
and print them. Leftovers are directories whose names begin with .mindreg-: the
same load, run again, would continue from them. A load that completes removes
its own.

Leftovers of other users and of loads that are still running stay. Directories
below DIR are not searched, and no registry is used.`,
		Example: `  mindreg clean
  mindreg clean -n ~/models`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return runClean(cmd.Context(), a, f, args) },
	}
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "only print what would be removed")
	return cmd
}

type cleanFlags struct{ dryRun bool }

func runClean(ctx context.Context, a *app, f cleanFlags, args []string) error {
	dir := "."
	if len(args) == 1 {
		dir = args[0]
	}
	report, err := registry.Clean(ctx, dir, &registry.CleanOptions{DryRun: f.dryRun})
	if err != nil {
		return err
	}
	var gone int64
	n := 0
	for _, l := range report.Leftovers {
		if l.Kept != "" {
			a.remark("%s stays: %s", l.Path, l.Kept)
			continue
		}
		n, gone = n+1, gone+l.Size
	}
	verb := "removed"
	if f.dryRun {
		verb = "would be removed"
	}
	a.remark("%s %s, %s", count(n, "leftover", "leftovers"), verb, size(gone))
	return a.print(report, func(w io.Writer) {
		for _, l := range report.Leftovers {
			if l.Kept == "" {
				fmt.Fprintln(w, plain.Text(l.Path))
			}
		}
	})
}
