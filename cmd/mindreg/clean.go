package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/plain"
)

func (a *app) cleanCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:     "clean [DIR]",
		GroupID: "admin",
		Short:   "Remove what interrupted loads have left in a directory",
		Long: `Remove from DIR, or the current directory, what interrupted loads have left there,
and print it: directories whose names begin with .mindreg-, in which the same load
would find what it has fetched already. A load that is complete removes those of
its DEST by itself. What belongs to another user, or to a load that is going on,
stays. Other directories are not looked into, and no registry is asked.`,
		Example: `  mindreg clean
  mindreg clean -n ~/models`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			report, err := registry.Clean(cmd.Context(), dir, &registry.CleanOptions{DryRun: dry})
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
			if dry {
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
		},
	}
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "only tell what would be removed")
	return cmd
}
