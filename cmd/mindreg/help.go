package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// Topics that are no commands: "mindreg help refs".

const refsHelp = `An object's name is made of letters, digits, dots and dashes, in parts joined
by colons: my:model, team-a:vision:weights. After an @ comes which version is
meant:

  my:model             the latest: the highest release, or the highest
                       pre-release if there are no releases
  my:model@latest      the same
  my:model@1.2.3       exactly this one; 1.2 is 1.2.0 and 1 is 1.0.0, no range
  my:model@2.0.0-rc.1  a pre-release
  my:model@^1.2        the highest from 1.2.0 up to, but not including, 2.0.0
  my:model@~1.2.3      the highest from 1.2.3 up to, but not including, 1.3.0
  my:model@1.x         the highest 1.something; * is any
  'my:model@>=1 <3'    the highest that meets both; || is or; mind the quotes
  my:model@sha256:...  the one with this digest: all 64 digits of it, or the first
                       seven or more
  my:model@prod        the one that the tag prod points at

Where all versions in a range are meant and not the highest (rm, cp, verify),
the command's help says so.`

func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "refs", Short: "How objects and versions are named", Long: refsHelp},
		{Use: "exit-codes", Short: "What exit codes mean", Long: exitCodes},
		{Use: "environment", Short: "Which variables are read", Long: environmentHelp},
		{Use: "files", Short: "Where the registry and the cache are", Long: filesHelp},
	}
}

// helpCommand is cobra's, but for arguments that are neither a command nor
// a topic: these are mistakes.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Help about any command or topic",
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
