package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) pruneCommand() *cobra.Command {
	var f pruneFlags
	cmd := &cobra.Command{
		Use:         "prune [NAME...]",
		GroupID:     "admin",
		Annotations: changes,
		Short:       "Delete old versions by rules",
		Long: `Delete the versions that no rule keeps, of each NAME or of all objects, and print
what was deleted. Give one rule or more. The latest release of an object is always
kept. For a week, "mindreg undelete" restores a deleted version; later,
"mindreg gc" frees the space.`,
		Example: `  mindreg prune --keep-last 10 --dry-run
  mindreg prune my:model --keep-within 30d --keep-tagged`,
		Args:              someArgs(0, -1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runPrune(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeNames,
	}
	cmd.Flags().IntVar(&f.KeepLast, "keep-last", 0, "keep the highest `N` versions of each object")
	cmd.Flags().StringVar(&f.within, "keep-within", "", "keep versions younger than `AGE`: 30d, 2w or 12h")
	cmd.Flags().BoolVar(&f.KeepTagged, "keep-tagged", false, "keep versions that have a tag")
	cmd.Flags().StringVar(&f.Prefix, "prefix", "", "only objects whose names start with `TEXT`")
	cmd.Flags().BoolVarP(&f.DryRun, "dry-run", "n", false, "only print what would be deleted")
	return cmd
}

type pruneFlags struct {
	registry.PruneOptions
	within string // KeepWithin as written
}

func runPrune(ctx context.Context, a *app, f pruneFlags, args []string) (err error) {
	if f.KeepWithin, err = parseAge(f.within); err != nil {
		return err
	}
	if f.KeepLast < 0 {
		return usagef("--keep-last is a number of versions, not %d", f.KeepLast)
	}
	if f.KeepLast == 0 && f.KeepWithin == 0 && !f.KeepTagged {
		return usagef("say what to keep: --keep-last, --keep-within or --keep-tagged")
	}
	if len(args) > 0 && f.Prefix != "" {
		return usagef("give names or --prefix, not both")
	}
	f.Names = args
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	report, err := reg.Prune(ctx, &f.PruneOptions)
	return a.printDone(len(report.Deleted), report, func(w io.Writer) {
		for _, d := range report.Deleted {
			fmt.Fprintf(w, "%s@%s\n", d.Name, d.Version)
		}
		verb := "deleted"
		if f.DryRun {
			verb = "would be deleted"
		}
		a.remark("%s %s, %d kept", count(len(report.Deleted), "version", "versions"), verb, report.Kept)
	}, err)
}

// maxAge is the longest age, about what a time.Duration can hold.
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
