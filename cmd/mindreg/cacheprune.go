package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mindtrace/registry/cache"
)

func (a *app) cachePruneCommand() *cobra.Command {
	var f cachePruneFlags
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Shrink the cache",
		Long: `Remove leftovers of killed processes from the cache, then the entries unused for
longest, until the cache fits its limit, or --to. Versions checked out within the
last hour stay, except with --all: make sure that no program is reading them then.
Files in the directory that are not the cache's own always stay.`,
		Example: `  mindreg cache prune --to 500MB
  mindreg cache prune --all`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runCachePrune(a, f) },
	}
	cmd.Flags().StringVar(&f.to, "to", "", "shrink the cache to `SIZE`: 500MB")
	cmd.Flags().BoolVar(&f.all, "all", false, "remove everything")
	return cmd
}

type cachePruneFlags struct {
	to  string
	all bool
}

// cachePruned is the JSON output of cache prune.
type cachePruned struct {
	Removed cache.Amount `json:"removed"`
	*cache.Usage
}

func runCachePrune(a *app, f cachePruneFlags) error {
	c, err := a.cache()
	if err != nil {
		return err
	}
	limit := c.Budget()
	if f.to != "" {
		n, err := cache.ParseSize(f.to)
		if err != nil {
			return usagef("--to: %v", err)
		}
		limit = max(n, 1) // 0 is for --all
	}
	if f.all {
		limit = 0
	}
	removed, err := c.Prune(limit)
	if err != nil {
		return err
	}
	usage, err := c.Usage()
	if err != nil {
		return err
	}
	return a.print(cachePruned{removed, usage}, func(w io.Writer) {
		fmt.Fprintf(w, "%s removed, %s\n", count(removed.Entries, "entry", "entries"), size(removed.Bytes))
	})
}
