package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) rmCommand() *cobra.Command {
	var f rmFlags
	cmd := &cobra.Command{
		Use:         "rm REF...",
		GroupID:     "admin",
		Annotations: changes,
		Short:       "Delete versions; undelete restores them for a week",
		Long: `Delete the version that each REF names, or all versions in its range, and print
what was deleted. Each REF says which versions: NAME@1.2.3, NAME@latest,
'NAME@<2', or 'NAME@*' for all.

For a week, "mindreg undelete" restores a deleted version. Its number is never used
again. The space is free after about eight days, when "mindreg gc" runs;
"mindreg purge" frees it sooner, for good.

A version with tags is deleted only with --force, which removes the tags too.
Without --force nothing is deleted, and the exit code is 5. If an error ends the
command after the first deletion, the exit code is 3.`,
		Example: `  mindreg rm my:model@1.2.3
  mindreg rm 'my:model@<2' --dry-run
  mindreg rm 'my:model@*' --force`,
		Args:              someArgs(1, -1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runRm(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeRefs,
	}
	cmd.Flags().BoolVarP(&f.force, "force", "f", false, "delete versions that have tags too, and remove the tags")
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "only print what would be deleted")
	return cmd
}

type rmFlags struct{ force, dryRun bool }

// removed is an entry of the JSON output of rm.
type removed struct {
	Name    string           `json:"name"`
	Version registry.Version `json:"version"`
}

func runRm(ctx context.Context, a *app, f rmFlags, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	done := []removed{}
	for _, ref := range args {
		var report *registry.DeleteReport
		report, err = reg.Delete(ctx, ref, &registry.DeleteOptions{Force: f.force, DryRun: f.dryRun})
		name, _, _ := strings.Cut(ref, "@")
		for _, v := range report.Deleted {
			done = append(done, removed{name, v})
		}
		if err != nil {
			break
		}
	}
	return a.printDone(len(done), done, func(w io.Writer) {
		for _, d := range done {
			fmt.Fprintf(w, "%s@%s\n", d.Name, d.Version)
		}
		what := count(len(done), "version", "versions")
		if f.dryRun {
			a.remark("%s would be deleted", what)
		} else if len(done) > 0 {
			a.remark("%s deleted; for a week, mindreg undelete restores what was deleted", what)
		}
	}, err)
}
