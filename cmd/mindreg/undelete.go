package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func (a *app) undeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "undelete NAME@VERSION",
		GroupID:     "admin",
		Annotations: changes,
		Short:       "Restore a version that was deleted within a week",
		Long: `Restore a version that was deleted less than a week ago, exactly as it was, and
print its reference. Its tags are not set again. In an unversioned registry, only
the last save can be restored.`,
		Example: `  mindreg versions my:model --deleted
  mindreg undelete my:model@1.2.3`,
		Args:              someArgs(1, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runUndelete(cmd.Context(), a, args) },
		ValidArgsFunction: a.completeDeleted,
	}
}

func runUndelete(ctx context.Context, a *app, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	if _, err := reg.Undelete(ctx, args[0], nil); err != nil {
		return err
	}
	i, err := reg.Info(ctx, args[0])
	if err != nil {
		return err
	}
	return a.print(i, func(w io.Writer) { fmt.Fprintln(w, i.Ref()) })
}
