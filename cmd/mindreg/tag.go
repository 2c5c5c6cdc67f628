package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
)

func (a *app) tagCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tag",
		GroupID: "main",
		Short:   "Name versions: set, list and remove tags",
		Long: `A tag is a name for one version of an object that can be moved to another:
NAME@TAG is then a reference to that version. A tag starts with a letter or
digit and has letters, digits, dots, dashes and underscores; it must not look
like a version.`,
		Example: `  mindreg tag set my:model@1.2.3 prod
  mindreg load my:model@prod ./somewhere
  mindreg tag set my:model@staging prod --if 1.2.3`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.tagSetCommand(), a.tagLsCommand(), a.tagRmCommand(), a.tagHistoryCommand())
	return cmd
}

// tagCondition is the flag --if, and where it makes sense --if-new.
type tagCondition struct {
	version string
	isNew   bool
}

func (c *tagCondition) flags(cmd *cobra.Command, canBeNew bool) {
	cmd.Flags().StringVar(&c.version, "if", "", "only if it points at this `version`")
	if canBeNew {
		cmd.Flags().BoolVar(&c.isNew, "if-new", false, "only if there is no such tag")
	}
}

func (c *tagCondition) options(cmd *cobra.Command) ([]registry.TagOption, error) {
	switch given := cmd.Flags().Changed("if"); {
	case given && c.isNew:
		return nil, usagef("give --if or --if-new, not both")
	case given:
		return []registry.TagOption{registry.WithIfTag(c.version)}, nil
	case c.isNew:
		return []registry.TagOption{registry.WithIfNoTag()}, nil
	}
	return nil, nil
}

func (a *app) tagSetCommand() *cobra.Command {
	var c tagCondition
	cmd := &cobra.Command{
		Use:   "set REF TAG",
		Short: "Point a tag at the version that REF means",
		Long: `Point a tag at the version that REF means, wherever it pointed before, and print
where it points. With --if or --if-new nothing is changed unless that holds at
that moment: exit code 5.`,
		Example: `  mindreg tag set my:model@1.2.3 prod
  mindreg tag set my:model@staging prod --if 1.2.3`,
		Args: someArgs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := c.options(cmd)
			if err != nil {
				return err
			}
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			info, err := reg.Info(cmd.Context(), args[0]) // what is printed is what was tagged, if REF moves
			if err != nil {
				return err
			}
			if err := reg.Tag(cmd.Context(), info.Ref(), args[1], opts...); err != nil {
				return err
			}
			return a.print(tagged{info.Name, args[1], info.Version, info.Digest}, func(w io.Writer) {
				fmt.Fprintf(w, "%s@%s %s\n", info.Name, args[1], info.Version)
			})
		},
		ValidArgsFunction: a.completeRef,
	}
	c.flags(cmd, true)
	return cmd
}

// tagged is the JSON output of tag set and tag rm. Of a damaged tag that was
// removed nobody knows the version.
type tagged struct {
	Name    string           `json:"name"`
	Tag     string           `json:"tag"`
	Version registry.Version `json:"version,omitzero"`
	Digest  string           `json:"digest,omitempty"`
}

func (a *app) tagLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls NAME",
		Short:   "List the tags of an object",
		Example: `  mindreg tag ls my:model`,
		Args:    someArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			tags, bad, err := readable(a, reg.Tags(cmd.Context(), args[0]))
			if err != nil {
				return err
			}
			if len(tags) == 0 && bad == nil {
				for _, err := range reg.AllVersions(cmd.Context(), args[0]) {
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
		},
		ValidArgsFunction: a.completeName,
	}
}

func (a *app) tagRmCommand() *cobra.Command {
	var c tagCondition
	cmd := &cobra.Command{
		Use:   "rm NAME TAG",
		Short: "Remove a tag; the version stays",
		Example: `  mindreg tag rm my:model prod
  mindreg tag rm my:model prod --if 1.2.3`,
		Args: someArgs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := c.options(cmd)
			if err != nil {
				return err
			}
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			if err := reg.Untag(cmd.Context(), args[0], args[1], opts...); err != nil {
				return err
			}
			moves, err := reg.TagHistory(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			was := tagged{args[0], args[1], moves[0].Version, moves[0].Digest}
			if moves[0].Digest == manifest.LostTag(args[0], args[1]).Digest.String() {
				a.remark("its register was damaged: where it pointed is not known")
				was = tagged{Name: args[0], Tag: args[1]}
			}
			return a.print(was, func(w io.Writer) {
				if was.Digest == "" {
					fmt.Fprintf(w, "%s@%s\n", args[0], args[1])
					return
				}
				fmt.Fprintf(w, "%s@%s %s\n", args[0], args[1], was.Version)
			})
		},
		ValidArgsFunction: a.completeNameThenTag,
	}
	c.flags(cmd, false)
	return cmd
}

func (a *app) tagHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history NAME TAG",
		Short: "List where a tag points and pointed before, the newest first",
		Long: `List where a tag points and pointed before, the newest first: up to 33 states,
also of a tag that was removed.`,
		Example: `  mindreg tag history my:model prod`,
		Args:    someArgs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			moves, err := reg.TagHistory(cmd.Context(), args[0], args[1])
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
		},
		ValidArgsFunction: a.completeNameThenTag,
	}
}

// withTags is the JSON output of info and an entry of that of versions.
type withTags struct {
	registry.Info
	Tags []string `json:"tags,omitempty"`
}

// tagsByVersion returns the tags of each version of an object. bad is an error
// if some cannot be read.
func (a *app) tagsByVersion(ctx context.Context, reg *registry.Registry, name string) (tags map[registry.Version][]string, bad, err error) {
	tags = map[registry.Version][]string{}
	if reg.Unversioned() {
		return tags, nil, nil
	}
	all, bad, err := readable(a, reg.Tags(ctx, name))
	for _, t := range all {
		tags[t.Version] = append(tags[t.Version], t.Tag)
	}
	return tags, bad, err
}

// completeNameThenTag completes the name of an object, then one of its tags.
func (a *app) completeNameThenTag(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeName(cmd, args, toComplete)
	}
	var tags []string
	if reg, err := a.open(cmd.Context()); err == nil && len(args) == 1 {
		tags = tagNames(cmd.Context(), reg, args[0], toComplete)
	}
	return tags, cobra.ShellCompDirectiveNoFileComp
}

// tagNames returns the tags of an object that start with prefix.
func tagNames(ctx context.Context, reg *registry.Registry, name, prefix string) []string {
	var tags []string
	for t, err := range reg.Tags(ctx, name) {
		if err == nil && strings.HasPrefix(t.Tag, prefix) {
			tags = append(tags, t.Tag)
		}
	}
	return tags
}
