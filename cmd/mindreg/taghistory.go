package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

func (a *app) tagHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history NAME TAG",
		Short: "List where a tag points and pointed, newest first",
		Long: `List where TAG of the object NAME points and pointed before, newest first. The
last 33 states are kept, also after the tag was removed.`,
		Example:           `  mindreg tag history my:model prod`,
		Args:              someArgs(2, 2),
		RunE:              func(cmd *cobra.Command, args []string) error { return runTagHistory(cmd.Context(), a, args) },
		ValidArgsFunction: a.completeNameThenTag,
	}
}

func runTagHistory(ctx context.Context, a *app, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	moves, err := reg.TagHistory(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	return a.print(moves, func(w io.Writer) {
		rows := [][]string{{"SINCE", "VERSION", "DIGEST"}}
		for _, m := range moves {
			if m.Removed {
				rows = append(rows, []string{when(m.Time), "removed", ""})
				continue
			}
			rows = append(rows, []string{when(m.Time), m.Version.String(), short(m.Digest)})
		}
		table(w, rows)
	})
}
