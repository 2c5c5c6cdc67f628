package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mindtrace/registry/cache"
)

func (a *app) cacheLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "Show how much the cache holds",
		Long: `Show how many entries and bytes of the cache are pieces of stored data, checked-out
versions, and descriptions of versions, which --offline needs.`,
		Example: `  mindreg cache ls`,
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runCacheLs(a) },
	}
}

func runCacheLs(a *app) error {
	c, err := a.cache()
	if err != nil {
		return err
	}
	u, err := c.Usage()
	if err != nil {
		return err
	}
	return a.print(u, func(w io.Writer) {
		rows := [][]string{{"", "ENTRIES", "SIZE"}}
		row := func(what string, n cache.Amount) {
			rows = append(rows, []string{what, strconv.Itoa(n.Entries), size(n.Bytes)})
		}
		row("pieces of stored data", u.Packs)
		row("checked-out versions", u.Trees)
		row("descriptions, for --offline", u.Registers)
		row("incomplete", u.Partial)
		row("total", u.Total)
		table(w, rows)
		fmt.Fprintf(w, "\n%s, at most %s\n", u.Dir, size(u.Budget))
	})
}
