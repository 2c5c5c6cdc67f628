package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
)

func (a *app) tagRmCommand() *cobra.Command {
	var f tagRmFlags
	cmd := &cobra.Command{
		Use:         "rm NAME TAG",
		Annotations: changes,
		Short:       "Remove a tag; the version stays",
		Long: `Remove TAG from the object NAME, and print where it pointed. The version stays. With
--if, the tag is removed only if it points at that version at that moment;
otherwise the exit code is 5.`,
		Example: `  mindreg tag rm my:model prod
  mindreg tag rm my:model prod --if 1.2.3`,
		Args:              someArgs(2, 2),
		RunE:              func(cmd *cobra.Command, args []string) error { return runTagRm(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeNameThenTag,
	}
	cmd.Flags().StringVar(&f.ifAt, "if", "", "only if the tag points at this `version`")
	return cmd
}

type tagRmFlags struct{ ifAt string }

func runTagRm(ctx context.Context, a *app, f tagRmFlags, args []string) error {
	name, tag := args[0], args[1]
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	if _, err := reg.Untag(ctx, name, tag, &registry.UntagOptions{IfVersion: f.ifAt}); err != nil {
		return err
	}
	moves, err := reg.TagHistory(ctx, name, tag)
	if err != nil {
		return err
	}
	was := tagged{name, tag, moves[0].Version, moves[0].Digest}
	if moves[0].Digest == manifest.LostTag(name, tag).Digest.String() {
		a.remark("its register was damaged: where it pointed is not known")
		was = tagged{Name: name, Tag: tag}
	}
	return a.print(was, func(w io.Writer) {
		if was.Digest == "" {
			fmt.Fprintf(w, "%s@%s\n", name, tag)
			return
		}
		fmt.Fprintf(w, "%s@%s %s\n", name, tag, was.Version)
	})
}
