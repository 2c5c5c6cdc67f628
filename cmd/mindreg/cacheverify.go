package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func (a *app) cacheVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read the whole cache and remove what is damaged",
		Long: `Read the whole cache, compare it with its digests, and remove entries that are
damaged or were changed; their next use fetches them again. You need it only if the
files of checkouts may have been changed: every other use verifies anyway.`,
		Example: `  mindreg cache verify`,
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runCacheVerify(a) },
	}
}

func runCacheVerify(a *app) error {
	c, err := a.cache()
	if err != nil {
		return err
	}
	r, err := c.Verify()
	if r == nil {
		return err
	}
	perr := a.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s checked, %s; %d damaged and removed\n",
			count(r.Checked.Entries, "entry", "entries"), size(r.Checked.Bytes), r.Dropped.Entries)
	})
	return cmp.Or(err, perr)
}
