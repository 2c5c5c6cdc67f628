package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/plain"
)

func (a *app) lsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls [PREFIX]",
		GroupID: "look",
		Short:   "List objects and their latest versions",
		Long: `List the objects whose names start with PREFIX, or all, each with its latest
version. An object whose versions were all deleted is not listed.`,
		Example: `  mindreg ls
  mindreg ls my:`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			infos, bad, err := readable(a, a.lean(reg.Latest(cmd.Context(), strings.Join(args, ""))))
			if err != nil {
				return err
			}
			err = a.print(infos, func(w io.Writer) {
				rows := [][]string{{"NAME", "LATEST", "SIZE", "CREATED"}}
				for _, i := range infos {
					rows = append(rows, []string{i.Name, i.Version.String(), size(i.Size), when(i.Created)})
				}
				if len(infos) == 0 {
					if bad == nil {
						what := "no objects"
						if len(args) > 0 {
							what += " whose names start with " + args[0]
						}
						a.remark("%s in %s", what, reg.URL())
					}
					return
				}
				table(w, rows)
			})
			return errors.Join(err, bad)
		},
		ValidArgsFunction: a.completeName,
	}
}

func (a *app) versionsCommand() *cobra.Command {
	var deleted bool
	cmd := &cobra.Command{
		Use:     "versions NAME",
		GroupID: "look",
		Short:   "List the versions of an object, the lowest first",
		Long: `List the versions of the object NAME, the lowest first, with their tags. The whole
digests are in the output of -o json, and in mindreg info.`,
		Example: `  mindreg versions my:model
  mindreg versions my:model --deleted`,
		Args: someArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name, _, found := strings.Cut(args[0], "@"); found {
				return usagef("versions takes a name alone: mindreg versions %s; for one version, mindreg info %s", name, args[0])
			}
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			versions := reg.Versions
			if deleted {
				versions = reg.AllVersions
			}
			tags, badTags, err := a.tagsByVersion(cmd.Context(), reg, args[0])
			if err != nil {
				return err
			}
			listed, bad, err := readable(a, a.lean(versions(cmd.Context(), args[0])))
			if err != nil {
				return err
			}
			bad = errors.Join(bad, badTags)
			infos := []withTags{}
			for _, info := range listed {
				infos = append(infos, withTags{info, tags[info.Version]})
			}
			err = a.print(infos, func(w io.Writer) {
				head := []string{"VERSION", "DIGEST", "SIZE", "CREATED"}
				if len(tags) > 0 {
					head = append(head, "TAGS")
				}
				if deleted {
					head = append(head, "DELETED")
				}
				rows := [][]string{head}
				for _, i := range infos {
					row := []string{i.Version.String(), short(i.Digest), size(i.Size), when(i.Created)}
					if len(tags) > 0 {
						row = append(row, strings.Join(i.Tags, ","))
					}
					if i.Deleted != nil {
						row = append(row, when(*i.Deleted)+forGood(i.Purged))
					} else if deleted {
						row = append(row, "")
					}
					rows = append(rows, row)
				}
				table(w, rows)
			})
			return errors.Join(err, bad)
		},
		ValidArgsFunction: a.completeName,
	}
	cmd.Flags().BoolVar(&deleted, "deleted", false, "list deleted versions too")
	return cmd
}

func (a *app) infoCommand() *cobra.Command {
	var files bool
	cmd := &cobra.Command{
		Use:     "info REF",
		GroupID: "look",
		Short:   "Describe a version: class, digest, metadata, files",
		Long: `Describe the version that REF means: its digest, size, time of creation, tags and
metadata, what kind of thing it is (class) and what made its files (materializer).
No data is read. With --files, its files are listed instead.`,
		Example: `  mindreg info my:model
  mindreg info my:model@1.0.0 --files     as sha256sum prints it, so that
                                          "sha256sum -c" can check a copy`,
		Args: someArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			if files {
				return a.printFiles(cmd, reg, args[0])
			}
			i, err := reg.Info(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			tags, bad, err := a.tagsByVersion(cmd.Context(), reg, i.Name)
			if err != nil {
				return err
			}
			out := withTags{*i, tags[i.Version]}
			err = a.print(out, func(w io.Writer) { printInfo(w, &out) })
			return errors.Join(err, bad)
		},
		ValidArgsFunction: a.completeRef,
	}
	cmd.Flags().BoolVar(&files, "files", false, "list the files and their digests instead")
	return cmd
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

func (a *app) printFiles(cmd *cobra.Command, reg *registry.Registry, ref string) error {
	obj, err := reg.Object(cmd.Context(), ref)
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

// sumLine is a line as sha256sum writes it: names with a backslash or line
// break are escaped, and the line is marked by a backslash. So are other
// characters that no terminal should get, which sha256sum would write as they
// are: it cannot check such a line, and says so.
// https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html
func sumLine(f registry.File) string {
	escaped := plain.Lines(strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(f.Path))
	mark := ""
	if escaped != f.Path {
		mark = `\`
	}
	return mark + f.SHA256 + "  " + escaped
}
