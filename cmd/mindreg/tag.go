package main

import (
	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) tagCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tag",
		GroupID: "main",
		Short:   "Set, list and remove tags of versions",
		Long: `A tag is a name for one version of an object: NAME@TAG is a reference to that
version. A tag can be moved to another version; its history is kept. A tag starts
with a letter or digit, contains letters, digits, dots, dashes and underscores, and
must not look like a version.`,
		Example: `  mindreg tag set my:model@1.2.3 prod
  mindreg load my:model@prod ./somewhere
  mindreg tag set my:model@staging prod --if 1.2.3`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.tagSetCommand(), a.tagLsCommand(), a.tagRmCommand(), a.tagHistoryCommand())
	return cmd
}

// tagged is the JSON output of tag set and tag rm. The version of a damaged tag
// that was removed is not known.
type tagged struct {
	Name    string           `json:"name"`
	Tag     string           `json:"tag"`
	Version registry.Version `json:"version,omitzero"`
	Digest  string           `json:"digest,omitempty"`
}
