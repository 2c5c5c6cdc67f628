package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mindtrace/registry/cache"
)

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cache",
		GroupID: "admin",
		Short:   "Look at the local cache, and make it smaller",
		Long: `What was read from a registry in a bucket is kept on this disk, so that it need
not be fetched again. It is verified whenever it is used. $MINDREG_CACHE_DIR says
where (default: mindreg in the user's cache directory), $MINDREG_CACHE_SIZE how
many bytes it may take in all (default 10GiB; 0 keeps nothing). What was not used
for longest is thrown out first, also if the disk is full before that many bytes
are there. Deleting the directory at any time does no harm. A directory of another
user, or one that everybody may write to, is not used; the command says so.`,
		Example: `  mindreg cache ls
  mindreg cache prune --to 1GB
  mindreg cache prune --all`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.cacheLsCommand(), a.cachePruneCommand(), a.cacheVerifyCommand(), a.cacheDirCommand())
	return cmd
}

func (a *app) cacheLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "Tell what is in the cache",
		Long: `Tell how much of the cache is taken by pieces of stored data, by checked-out
versions, and by the descriptions of versions that --offline shows.`,
		Example: `  mindreg cache ls`,
		Args:    noArgs,
		RunE: a.withCache(func(c *cache.Cache) error {
			u, err := c.Usage()
			if err != nil {
				return err
			}
			return a.print(u, func(w io.Writer) {
				rows := [][]string{{"", "ENTRIES", "SIZE"}}
				row := func(what string, n cache.Amount) {
					rows = append(rows, []string{what, strconv.Itoa(n.Entries), size(n.Bytes)})
				}
				row("stretches of packs", u.Packs)
				row("checked-out versions", u.Trees)
				row("registers, for --offline", u.Registers)
				row("being made", u.Partial)
				row("total", u.Total)
				table(w, rows)
				fmt.Fprintf(w, "\n%s, up to %s\n", u.Dir, size(u.Budget))
			})
		}),
	}
}

func (a *app) cachePruneCommand() *cobra.Command {
	var to string
	var all bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Make the cache smaller",
		Long: `Remove what killed processes have left in the cache, and throw out what was not
used for longest until the rest takes no more than it may, or than --to says. What
was checked out within the hour stays, unless --all is given: no program should be
reading it then. What is in the directory and not the cache's own stays in any case.`,
		Example: `  mindreg cache prune --to 500MB
  mindreg cache prune --all`,
		Args: noArgs,
		RunE: a.withCache(func(c *cache.Cache) error {
			limit := c.Budget()
			if to != "" {
				n, err := cache.ParseSize(to)
				if err != nil {
					return usagef("--to: %v", err)
				}
				limit = max(n, 1) // 0 is for --all
			}
			if all {
				limit = 0
			}
			removed, err := c.Prune(limit)
			if err != nil {
				return err
			}
			usage, err := c.Usage()
			if err != nil {
				return err
			}
			return a.print(struct {
				Removed cache.Amount `json:"removed"`
				*cache.Usage
			}{removed, usage}, func(w io.Writer) {
				fmt.Fprintf(w, "%s removed, %s\n", count(removed.Entries, "entry", "entries"), size(removed.Bytes))
			})
		}),
	}
	cmd.Flags().StringVar(&to, "to", "", "how much may be left: a `SIZE` such as 500MB")
	cmd.Flags().BoolVar(&all, "all", false, "remove everything")
	return cmd
}

func (a *app) cacheVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read all of the cache, and remove what is damaged",
		Long: `Read all of the cache, compare it with its digests, and remove what is damaged or
was changed. It is fetched again when it is next used. This is never needed: what
is used is verified in any case; files of checkouts are where they were changed
since.`,
		Example: `  mindreg cache verify`,
		Args:    noArgs,
		RunE: a.withCache(func(c *cache.Cache) error {
			r, err := c.Verify()
			if r == nil {
				return err
			}
			perr := a.print(r, func(w io.Writer) {
				fmt.Fprintf(w, "%s checked, %s; %d damaged and removed\n",
					count(r.Checked.Entries, "entry", "entries"), size(r.Checked.Bytes), r.Dropped.Entries)
			})
			return cmp.Or(err, perr)
		}),
	}
}

func (a *app) cacheDirCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dir",
		Short: "Print where the cache is",
		Long: `Print where the cache is, or will be. If it cannot be used, because it belongs to
another user or may not be read, an error says so besides.`,
		Example: `  du -sh "$(mindreg cache dir)"`,
		Args:    noArgs,
		RunE: a.withCache(func(c *cache.Cache) error {
			err := a.print(map[string]string{"dir": c.Dir()}, func(w io.Writer) { fmt.Fprintln(w, c.Dir()) })
			return cmp.Or(c.Check(), err)
		}),
	}
}

// withCache runs a command on the cache.
func (a *app) withCache(do func(*cache.Cache) error) func(*cobra.Command, []string) error {
	return func(*cobra.Command, []string) error {
		c, err := a.cache()
		if err != nil {
			return err
		}
		return do(c)
	}
}
