package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/plain"
)

func (a *app) infoCommand() *cobra.Command {
	var f infoFlags
	cmd := &cobra.Command{
		Use:     "info REF",
		GroupID: "look",
		Short:   "Describe a version: digest, size, tags, metadata, files",
		Long: `Describe the version that REF names: its digest, size, time of creation, tags,
metadata, what was saved (class), and what wrote and reads its files
(materializer). No file is read. With --files, list the files and their digests
instead, as sha256sum prints them; "sha256sum -c" checks a copy with that list.`,
		Example: `  mindreg info my:model
  mindreg info my:model@1.0.0 -o json
  mindreg info my:data --files | (cd copy && sha256sum -c)`,
		Args:              someArgs(1, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runInfo(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeRef,
	}
	cmd.Flags().BoolVar(&f.files, "files", false, "list the files and their digests instead")
	return cmd
}

type infoFlags struct{ files bool }

func runInfo(ctx context.Context, a *app, f infoFlags, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	if f.files {
		return a.printFiles(ctx, reg, args[0])
	}
	i, err := reg.Info(ctx, args[0])
	if err != nil {
		return err
	}
	tags, bad, err := a.tagsByVersion(ctx, reg, i.Name)
	if err != nil {
		return err
	}
	out := withTags{*i, tags[i.Version]}
	err = a.print(out, func(w io.Writer) { printInfo(w, &out) })
	return errors.Join(err, bad)
}

func printInfo(w io.Writer, i *withTags) {
	rows := [][]string{
		{"name", i.Name},
		{"version", i.Version.String()},
		{"digest", i.Digest},
		{"class", i.Class},
		{"materializer", i.Materializer},
		{"size", fmt.Sprintf("%s (%d bytes) in %s", size(i.Size), i.Size, inTree(i.Info))},
		{"created", when(i.Created)},
		{"path", i.Path},
	}
	if len(i.Tags) > 0 {
		rows = append(rows, []string{"tags", strings.Join(i.Tags, ", ")})
	}
	if len(i.Metadata) > 0 {
		var b strings.Builder
		if indent(&b, i.Metadata) == nil {
			for n, line := range strings.Split(b.String(), "\n") {
				label := "metadata"
				if n > 0 {
					label = ""
				}
				rows = append(rows, []string{label, line})
			}
		}
	}
	table(w, rows)
}

func (a *app) printFiles(ctx context.Context, reg *registry.Registry, ref string) error {
	obj, err := reg.Object(ctx, ref)
	if err != nil {
		return err
	}
	return printList(a, obj.Entries(), func(f registry.File) {
		switch {
		case f.Dir:
			a.remark("%s/ (empty directory)", f.Path)
		case f.Link != "":
			a.remark("%s -> %s", f.Path, f.Link)
		default:
			fmt.Fprintln(a.people(), sumLine(f))
		}
	})
}

// sumLine returns a line as sha256sum writes it. A backslash or line break in a
// name is escaped, and a backslash marks the line. Other characters that could
// harm a terminal are escaped too, which sha256sum does not do: it cannot check
// a line that has them, and says so.
// https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html
func sumLine(f registry.File) string {
	escaped := plain.Lines(strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(f.Path))
	mark := ""
	if escaped != f.Path {
		mark = `\`
	}
	return mark + f.SHA256 + "  " + escaped
}
