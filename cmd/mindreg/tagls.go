package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) tagLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "ls NAME",
		Short:             "List the tags of an object",
		Long:              `List the tags of the object NAME, the version of each, and when it was set.`,
		Example:           `  mindreg tag ls my:model`,
		Args:              someArgs(1, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runTagLs(cmd.Context(), a, args) },
		ValidArgsFunction: a.completeName,
	}
}

func runTagLs(ctx context.Context, a *app, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	tags, bad, err := readable(a, reg.Tags(ctx, args[0]))
	if err != nil {
		return err
	}
	if len(tags) == 0 && bad == nil { // is there an object of this name?
		for _, err := range reg.AllVersions(ctx, args[0]) {
			if errors.Is(err, registry.ErrNotFound) {
				return err
			}
			break
		}
	}
	err = a.print(tags, func(w io.Writer) {
		if len(tags) == 0 {
			if bad == nil {
				a.remark("%s has no tags", args[0])
			}
			return
		}
		rows := [][]string{{"TAG", "VERSION", "DIGEST", "UPDATED"}}
		for _, t := range tags {
			rows = append(rows, []string{t.Tag, t.Version.String(), short(t.Digest), when(t.Updated)})
		}
		table(w, rows)
	})
	return errors.Join(err, bad)
}
