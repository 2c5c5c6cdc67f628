package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) lsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls [PREFIX]",
		GroupID: "look",
		Short:   "List objects and their latest versions",
		Long: `List all objects, or those whose names start with PREFIX, each with its latest
version. Objects that have only deleted versions are not listed.`,
		Example: `  mindreg ls
  mindreg ls my:`,
		Args:              someArgs(0, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runLs(cmd.Context(), a, args) },
		ValidArgsFunction: a.completeName,
	}
}

func runLs(ctx context.Context, a *app, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	prefix := strings.Join(args, "")
	infos, bad, err := readable(a, a.lean(reg.Latest(ctx, prefix)))
	if err != nil {
		return err
	}
	err = a.print(infos, func(w io.Writer) {
		switch {
		case len(infos) > 0:
			rows := [][]string{{"NAME", "LATEST", "SIZE", "CREATED"}}
			for _, i := range infos {
				rows = append(rows, []string{i.Name, i.Version.String(), size(i.Size), when(i.Created)})
			}
			table(w, rows)
		case bad != nil: // they are there, but cannot be read
		case prefix != "":
			a.remark("no objects whose names start with %s in %s", prefix, reg.URL())
		default:
			a.remark("no objects in %s", reg.URL())
		}
	})
	return errors.Join(err, bad)
}
