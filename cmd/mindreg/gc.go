package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) gcCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "gc",
		GroupID: "admin",
		Short:   "Free the space of what was deleted",
		Long: `Free what no version needs any more. It may run at any time, beside everything
else. What was deleted is freed some eight days after, and not before the week in
which it was stored is over; until then it can be brought back. What was purged is
freed a day after, and not before a day after that week either.

It reads the description of every version, and frees nothing if one of them cannot
be read: mindreg verify tells which. A file that other programs have put among them
is passed over and named, unless it may be such a description under another name.`,
		Example: `  mindreg gc --dry-run
  mindreg gc`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			opts := []registry.GCOption{registry.WithGCProgress(a.progress())}
			if dryRun {
				opts = append(opts, registry.WithDryRun())
			}
			report, err := reg.GC(cmd.Context(), opts...)
			a.bars.stop()
			if err != nil {
				return err
			}
			for _, key := range report.Strangers {
				a.remark("%s does not belong into a registry; move it away", key)
			}
			return a.print(report, func(w io.Writer) { printGC(w, report) })
		},
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only print what would be freed")
	return cmd
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
	row("purged, kept for saves under way", r.Purged, false)
	row("too young to be freed", r.Young, false)
	row("the store keeps them", r.Retained, false)
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

func (a *app) pruneCommand() *cobra.Command {
	var o registry.PruneOptions
	var within string
	cmd := &cobra.Command{
		Use:     "prune [NAME...]",
		GroupID: "admin",
		Short:   "Delete old versions, by rules",
		Long: `Delete the versions of each NAME, or of all objects, that no rule keeps. At least
one rule has to be given. The latest release of an object is always kept. The
versions deleted are printed; for a week, "mindreg undelete" brings them back, and
later "mindreg gc" frees their space.`,
		Example: `  mindreg prune --keep-last 10 --dry-run
  mindreg prune my:model --keep-within 30d --keep-tagged`,
		Args: someArgs(0, -1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.KeepWithin, err = parseAge(within); err != nil {
				return err
			}
			if o.KeepLast < 0 {
				return usagef("--keep-last is a number of versions, not %d", o.KeepLast)
			}
			if o.KeepLast == 0 && o.KeepWithin == 0 && !o.KeepTagged {
				return usagef("say what to keep: --keep-last, --keep-within or --keep-tagged")
			}
			if len(args) > 0 && o.Prefix != "" {
				return usagef("give names or --prefix, not both")
			}
			o.Names = args
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			report, err := reg.Prune(cmd.Context(), o)
			if err != nil && len(report.Deleted) == 0 {
				return err
			}
			if perr := a.print(report, func(w io.Writer) {
				for _, d := range report.Deleted {
					fmt.Fprintf(w, "%s@%s\n", d.Name, d.Version)
				}
			}); perr != nil {
				return perr
			}
			if err != nil {
				return &partialError{err}
			}
			verb := "deleted"
			if o.DryRun {
				verb = "would be deleted"
			}
			a.remark("%s %s, %d kept", count(len(report.Deleted), "version", "versions"), verb, report.Kept)
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return a.names(cmd.Context(), toComplete), cobra.ShellCompDirectiveNoFileComp
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.KeepLast, "keep-last", 0, "keep the highest `N` versions of each object")
	f.StringVar(&within, "keep-within", "", "keep versions younger than `AGE`, such as 30d, 2w or 12h")
	f.BoolVar(&o.KeepTagged, "keep-tagged", false, "keep versions that have a tag")
	f.StringVar(&o.Prefix, "prefix", "", "only objects whose names start with `TEXT`")
	f.BoolVarP(&o.DryRun, "dry-run", "n", false, "only print what would be deleted")
	return cmd
}

// maxAge is the longest age, in what a time.Duration can hold.
const maxAge = 200 * 365 * 24 * time.Hour

// parseAge reads a length of time as time.ParseDuration does, or in days or
// weeks: "30d", "2w".
func parseAge(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	bad := usagef("%q is not an age such as 30d, 2w or 12h", s)
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseUint(number, 10, 64)
			if err != nil || n == 0 {
				return 0, bad
			}
			if n > uint64(maxAge/length) {
				return 0, usagef("%q is longer than %d years", s, maxAge/(365*24*time.Hour))
			}
			return time.Duration(n) * length, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, bad
	}
	return d, nil
}
