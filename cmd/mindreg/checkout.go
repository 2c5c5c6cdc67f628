package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) checkoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "checkout REF",
		GroupID: "main",
		Short:   "Print a directory with a version's files, read-only",
		Long: `Print a directory that has the files of the version that REF means. It is made in
the cache the first time, every byte verified, and used again from then on, by all
programs on this machine: a version is fetched once, and can be mapped into memory.

The files are read-only and belong to the cache. The directory is not thrown out
within an hour after it was checked out last; a program that works with it for
longer keeps its files open, or checks it out again. An object of one file is
a directory with that file.`,
		Example: `  python train.py --data "$(mindreg checkout my:data@2.1.0)"`,
		Args:    someArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.noCache {
				return usagef("checkout makes a directory in the cache, so --no-cache cannot; mindreg load writes one elsewhere")
			}
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			start := time.Now()
			var report registry.LoadReport
			dir, err := reg.Checkout(cmd.Context(), args[0], registry.WithProgress(a.progress()), registry.WithLoadReport(&report))
			if err != nil {
				return err
			}
			a.bars.stop()
			a.remark("%s, %s, %s in %s; %s", report.Info.Ref(), report.Info.Digest, size(report.Info.Size),
				inTree(report.Info), time.Since(start).Round(10*time.Millisecond))
			return a.print(loaded{Info: report.Info, Dest: dir}, func(w io.Writer) { fmt.Fprintln(w, dir) })
		},
		ValidArgsFunction: a.completeRef,
	}
}
