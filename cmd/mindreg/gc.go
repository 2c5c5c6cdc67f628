package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) gcCommand() *cobra.Command {
	var f gcFlags
	cmd := &cobra.Command{
		Use:         "gc",
		GroupID:     "admin",
		Annotations: changes,
		Short:       "Free the space of deleted versions",
		Long: `Free the data that no version needs any more. gc may run at any time, at the same
time as all other commands.

The data of a deleted version is freed about eight days after its deletion, and
not before the week in which it was stored is over; until then undelete works.
The data of a purged version is freed a day after the purge, and not before a day
after that week.

gc reads the description of every version. It frees nothing if one of them cannot
be read; mindreg verify names it. Files of other programs among them are skipped
and reported, except one that may be a renamed description: then gc frees nothing.`,
		Example: `  mindreg gc --dry-run
  mindreg gc`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGC(cmd.Context(), a, f) },
	}
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "only print what would be freed")
	return cmd
}

type gcFlags struct{ dryRun bool }

func runGC(ctx context.Context, a *app, f gcFlags) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	report, err := reg.GC(ctx, &registry.GCOptions{DryRun: f.dryRun, Progress: a.progress()})
	a.bars.stop()
	if err != nil {
		return err
	}
	for _, key := range report.Strangers {
		a.remark("%s does not belong in a registry; move it away", key)
	}
	return a.print(report, func(w io.Writer) { printGC(w, report) })
}

func printGC(w io.Writer, r *registry.GCReport) {
	freed := "freed"
	if r.DryRun {
		freed = "would be freed"
	}
	rows := [][]string{{"", "PACKS", "SIZE"}}
	row := func(what string, a registry.GCAmount, always bool) {
		if always || a.Packs > 0 {
			rows = append(rows, []string{what, strconv.Itoa(a.Packs), size(a.Bytes)})
		}
	}
	row("live", r.Live, true)
	row("kept for undelete", r.Tombstones, false)
	row("purged, kept for running saves", r.Purged, false)
	row("too young to free", r.Young, false)
	row("kept by the store", r.Retained, false)
	row(freed, r.Freed, true)
	table(w, rows)
	fmt.Fprintf(w, "\n%s live, %d deleted, %d deleted for good\n", count(r.Versions.Live, "version", "versions"), r.Versions.Deleted, r.Versions.Purged)
	if r.Missing > 0 {
		fmt.Fprintf(w, "%s missing: run mindreg verify\n", count(r.Missing, "pack is", "packs are"))
	}
	if n := r.Leftovers.Files; n > 0 {
		fmt.Fprintf(w, "%s of killed writers, %s\n", count(n, "leftover", "leftovers"), size(r.Leftovers.Bytes))
	}
}
