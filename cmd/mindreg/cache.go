package main

import "github.com/spf13/cobra"

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cache",
		GroupID: "admin",
		Short:   "Show, verify and shrink the local cache",
		Long: `The cache keeps data that was read from a registry in a bucket on this disk, so
that it is fetched once. Every use verifies it.

$MINDREG_CACHE_DIR is its directory (default: mindreg in your cache directory).
$MINDREG_CACHE_SIZE is how many bytes it may take (default: 10GiB; 0 keeps
nothing). When it is full, or the disk is, the entries unused for longest go first.
You may delete the directory at any time. A directory of another user, or one that
everybody may write to, is not used, and a warning says so.`,
		Example: `  mindreg cache ls
  mindreg cache prune --to 1GB
  mindreg cache prune --all`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.cacheLsCommand(), a.cachePruneCommand(), a.cacheVerifyCommand(), a.cacheDirCommand())
	return cmd
}
