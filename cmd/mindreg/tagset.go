package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) tagSetCommand() *cobra.Command {
	var f tagSetFlags
	cmd := &cobra.Command{
		Use:         "set REF TAG",
		Annotations: changes,
		Short:       "Point a tag at the version that REF names",
		Long: `Create TAG or move it, so that it points at the version that REF names, and print
that version. With --if or --if-new, the tag changes only if the condition holds
at that moment; otherwise the exit code is 5.`,
		Example: `  mindreg tag set my:model@1.2.3 prod
  mindreg tag set my:model@staging prod --if 1.2.3`,
		Args:              someArgs(2, 2),
		RunE:              func(cmd *cobra.Command, args []string) error { return runTagSet(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeRef,
	}
	cmd.Flags().StringVar(&f.ifAt, "if", "", "only if the tag points at this `version`")
	cmd.Flags().BoolVar(&f.ifNew, "if-new", false, "only if the tag does not exist")
	return cmd
}

type tagSetFlags struct {
	ifAt  string
	ifNew bool
}

func runTagSet(ctx context.Context, a *app, f tagSetFlags, args []string) error {
	if f.ifAt != "" && f.ifNew {
		return usagef("give --if or --if-new, not both")
	}
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	r, err := reg.Resolve(ctx, args[0]) // the version printed is the one tagged, even if REF moves
	if err != nil {
		return err
	}
	if _, err := reg.Tag(ctx, r.Ref(), args[1], &registry.TagOptions{IfVersion: f.ifAt, IfAbsent: f.ifNew}); err != nil {
		return err
	}
	return a.print(tagged{r.Name, args[1], r.Version, r.Digest}, func(w io.Writer) {
		fmt.Fprintf(w, "%s@%s %s\n", r.Name, args[1], r.Version)
	})
}
