package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// command returns the tree of commands.
func (a *app) command() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "mindreg",
		Short: "A versioned registry for models, datasets and configurations",
		Long: `Mindreg keeps versions of objects (models, datasets, pipelines, configurations)
in a directory or a bucket. There is no server to run. Save a file or a directory,
get a version; load it anywhere, every byte verified. Any number of processes may
do so at the same time.

A reference names an object and one of its versions:

  my:model             the latest version
  my:model@1.2.3       exactly this version
  my:model@^1.2        the highest version in a range (^ ~ >= < ||, 1.x, *)
  my:model@sha256:...  the version with this digest
  my:model@prod        the version that the tag prod points at

The registry is --registry URL, else $MINDREG_URL, else a directory among your own
data. More help: mindreg help refs, mindreg help exit-codes.`,
		Example: `  mindreg save my:model ./model.bin
  mindreg save my:data ./dataset --version 2.1.0 --meta source=line-3
  mindreg ls
  mindreg versions my:model
  mindreg load my:model@^1 ./somewhere`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error { return prepare(a, cmd, args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return a.print(thisVersion(), func(w io.Writer) { fmt.Fprintln(w, thisVersion()) })
			}
			return cmd.Help()
		},
		Args: noArgs,
	}
	root.Flags().BoolVar(&version, "version", false, "print the version of this program")
	f := root.PersistentFlags()
	f.StringVarP(&a.url, "registry", "r", "", "`URL` or directory of the registry (default: $MINDREG_URL, else your data directory)")
	f.StringVarP(&a.output, "output", "o", "human", "output `format`: human or json")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "log every request to the store on stderr")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print no progress and no remarks on stderr")
	f.BoolVar(&a.offline, "offline", false, "read from the local cache, send no request to a bucket")
	f.BoolVar(&a.noCache, "no-cache", false, "neither read nor fill the local cache")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v%s (%s --help lists the flags)", err, meantFlag(cmd, err), cmd.CommandPath())
	})
	cobra.EnableCommandSorting = false // the help lists them in this order
	root.AddGroup(
		&cobra.Group{ID: "main", Title: "Save and load:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "admin", Title: "Maintain:"},
	)
	root.AddCommand(
		a.saveCommand(), a.loadCommand(), a.checkoutCommand(), a.cpCommand(), a.tagCommand(),
		a.lsCommand(), a.versionsCommand(), a.infoCommand(), a.resolveCommand(),
		a.initCommand(), a.rmCommand(), a.undeleteCommand(), a.purgeCommand(), a.pruneCommand(), a.gcCommand(),
		a.verifyCommand(), a.lockCommand(), a.doctorCommand(), a.cacheCommand(), a.cleanCommand(), a.versionCommand(), a.docsCommand(),
	)
	root.AddCommand(topics()...)
	root.SetHelpCommand(helpCommand(root))
	root.SetOut(a.stdout) // completion takes it now, not when it runs
	root.InitDefaultCompletionCmd()
	return root
}

// prepare checks what all commands share, before one of them runs.
func prepare(a *app, cmd *cobra.Command, args []string) error {
	if err := noEmptyFlags(cmd); err != nil {
		return err
	}
	if a.output != "human" && a.output != "json" {
		return usagef("--output is human or json, not %q", a.output)
	}
	a.ran, a.args = strings.TrimPrefix(cmd.CommandPath(), "mindreg "), args
	a.writes = cmd.Annotations["changes"] != ""
	if a.offline && a.mayAskCache(cmd) {
		a.remark("offline: the answer is from the cache and may be old")
	}
	return nil
}
