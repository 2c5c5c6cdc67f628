package main

import "github.com/spf13/cobra"

func (a *app) lockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "lock",
		GroupID: "admin",
		Short:   "Run a command under a lock; list and break locks",
		Long: `Locks have names, and are exclusive or shared. They keep your own work from running
twice at the same time. Saving and loading need no lock. If the holder of a lock
dies, the lock expires.`,
		Example: `  mindreg lock run nightly -- ./retrain.sh
  mindreg lock ls
  mindreg lock break nightly --why "it hangs"`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: noArgs,
	}
	cmd.AddCommand(a.lockRunCommand(), a.lockLsCommand(), a.lockBreakCommand())
	return cmd
}
