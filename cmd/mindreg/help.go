package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// Help topics that are not commands: "mindreg help refs".

const refsHelp = `The name of an object has letters, digits, dots and dashes, in parts joined by
colons: my:model, team-a:vision:weights. A selector may follow after an @. It says
which version:

  my:model             the latest: the highest release, or the highest
                       pre-release if there are no releases
  my:model@latest      the same
  my:model@1.2.3       exactly this version; 1.2 is 1.2.0, and 1 is 1.0.0
  my:model@2.0.0-rc.1  a pre-release
  my:model@^1.2        the highest version from 1.2.0 to below 2.0.0
  my:model@~1.2.3      the highest version from 1.2.3 to below 1.3.0
  my:model@1.x         the highest version from 1.0.0 to below 2.0.0; * is any
  'my:model@>=1 <3'    the highest version that meets both; || is or. Quote it:
                       > and < are special to shells
  my:model@sha256:...  the version with this digest: all 64 digits, or the first
                       seven or more
  my:model@prod        the version that the tag prod points at

For rm, purge, cp and verify a range means all versions in it.
"mindreg resolve REF" prints the exact version that a reference means now.`

func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "refs", Short: "How to name objects and versions", Long: refsHelp},
		{Use: "exit-codes", Short: "What each exit code means", Long: exitCodes},
		{Use: "environment", Short: "Which variables are read", Long: environmentHelp},
		{Use: "files", Short: "Where the registry and the cache are", Long: filesHelp},
	}
}

// helpCommand is like cobra's, but an argument that is neither a command nor a
// topic is an error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Help on a command or topic",
		Long:  `Print the help of a command or topic.`,
		Example: `  mindreg help save
  mindreg help refs`,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command or topic %q (mindreg help lists them)", strings.Join(args, " "))
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range cmd.Commands() {
				if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
