package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func (a *app) cacheDirCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dir",
		Short: "Print the directory of the cache",
		Long: `Print the directory of the cache, which may not exist yet. If the cache cannot use
it, because it belongs to another user or cannot be read, an error follows.`,
		Example: `  du -sh "$(mindreg cache dir)"`,
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runCacheDir(a) },
	}
}

func runCacheDir(a *app) error {
	c, err := a.cache()
	if err != nil {
		return err
	}
	err = a.print(map[string]string{"dir": c.Dir()}, func(w io.Writer) { fmt.Fprintln(w, c.Dir()) })
	return cmp.Or(c.Check(), err)
}
