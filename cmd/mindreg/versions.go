package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) versionsCommand() *cobra.Command {
	var f versionsFlags
	cmd := &cobra.Command{
		Use:     "versions NAME",
		GroupID: "look",
		Short:   "List the versions of an object, lowest first",
		Long: `List the versions of the object NAME with their tags, lowest version first. The
table shortens digests; mindreg info and -o json have them whole.`,
		Example: `  mindreg versions my:model
  mindreg versions my:model --deleted`,
		Args:              someArgs(1, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runVersions(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeName,
	}
	cmd.Flags().BoolVar(&f.deleted, "deleted", false, "list deleted versions too")
	return cmd
}

type versionsFlags struct{ deleted bool }

func runVersions(ctx context.Context, a *app, f versionsFlags, args []string) error {
	if name, _, found := strings.Cut(args[0], "@"); found {
		return usagef("versions takes a name alone: mindreg versions %s; for one version, mindreg info %s", name, args[0])
	}
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	versions := reg.Versions
	if f.deleted {
		versions = reg.AllVersions
	}
	tags, badTags, err := a.tagsByVersion(ctx, reg, args[0])
	if err != nil {
		return err
	}
	listed, bad, err := readable(a, a.lean(versions(ctx, args[0])))
	if err != nil {
		return err
	}
	infos := []withTags{}
	for _, info := range listed {
		infos = append(infos, withTags{info, tags[info.Version]})
	}
	err = a.print(infos, func(w io.Writer) { table(w, versionRows(infos, len(tags) > 0, f.deleted)) })
	return errors.Join(err, bad, badTags)
}

// versionRows is the table of versions, with a column for tags and one for the
// time of deletion where wanted.
func versionRows(infos []withTags, tags, deleted bool) [][]string {
	head := []string{"VERSION", "DIGEST", "SIZE", "CREATED"}
	if tags {
		head = append(head, "TAGS")
	}
	if deleted {
		head = append(head, "DELETED")
	}
	rows := [][]string{head}
	for _, i := range infos {
		row := []string{i.Version.String(), short(i.Digest), size(i.Size), when(i.Created)}
		if tags {
			row = append(row, strings.Join(i.Tags, ","))
		}
		if i.Deleted != nil {
			row = append(row, when(*i.Deleted)+forGood(i.Purged))
		} else if deleted {
			row = append(row, "")
		}
		rows = append(rows, row)
	}
	return rows
}

// forGood follows the time of a deletion that cannot be undone.
func forGood(purged bool) string {
	if purged {
		return " for good"
	}
	return ""
}
