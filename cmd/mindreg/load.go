package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/material"
)

func (a *app) loadCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "load REF [DEST|-]",
		GroupID: "main",
		Short:   "Fetch a version to a file or directory, verified",
		Long: `Fetch the version that REF means, and print where it went. DEST is as for
"cp -r": an object of one file becomes the file DEST, or a file in the directory
DEST; a tree becomes the directory DEST, or one in it, named by the last part of
the object's name, if DEST exists. Without DEST it goes to the current directory;
with - an object of one file is written to standard output. A file that is in the
way is replaced; a directory never is.

Every byte is verified. DEST appears complete or not at all; to standard output,
what was written before an error is right but incomplete. A load that was
interrupted goes on where it was when it is run again.`,
		Example: `  mindreg load my:model
  mindreg load my:data@2.1.0 ./dataset
  mindreg load backup:home - | tar x`,
		Args: someArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, ref, dest := cmd.Context(), args[0], "."
			if len(args) == 2 {
				dest = args[1]
			}
			if dest == "-" && a.output == "json" {
				return usagef("with - the object itself goes to standard output, so -o json cannot")
			}
			reg, err := a.open(ctx)
			if err != nil {
				return err
			}
			start := time.Now()
			var report registry.LoadReport
			opts := []registry.LoadOption{registry.WithProgress(a.progress()), registry.WithLoadReport(&report)}
			var into any = registry.Path(dest)
			if dest == "-" {
				into = a.stdout
				opts = append(opts, registry.WithMaterializer(material.Bytes{}))
			}
			if err := reg.Load(ctx, ref, into, opts...); err != nil {
				return err
			}
			a.bars.stop()
			a.remark("%s, %s, %s in %s; %s", report.Info.Ref(), report.Info.Digest, size(report.Info.Size),
				entries(report.Info), time.Since(start).Round(10*time.Millisecond))
			if dest == "-" {
				return nil
			}
			return a.print(loaded{report.Info, report.Dest}, func(w io.Writer) { fmt.Fprintln(w, report.Dest) })
		},
		ValidArgsFunction: a.completeRefThenFile,
	}
}

// loaded is the JSON output of load.
type loaded struct {
	registry.Info
	Dest string `json:"dest"`
}
