package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/plain"
	"github.com/mindtrace/registry/material"
)

func (a *app) loadCommand() *cobra.Command {
	var exact, noClobber bool
	var maxSize string
	cmd := &cobra.Command{
		Use:     "load REF [DEST|-]",
		GroupID: "main",
		Short:   "Fetch a version to a file or directory, verified",
		Long: `Fetch the version that REF means, and print where it went. DEST is as for
"cp -r": an object of one file becomes the file DEST, or a file in the directory
DEST, also if that ends in / and is not there yet; a tree becomes the directory
DEST, or one in it, named by the last part of the object's name, if DEST exists.
Directories above DEST are made. Without DEST it goes to the current directory;
with - an object of one file is written to standard output.

A file that is in the way is replaced, which a remark says, and its permissions
stay; a directory never is. If DEST is a symbolic link, what it leads to is
replaced. --no-clobber replaces nothing. With --exact DEST is made exactly the
object, whatever is there, a directory with all that is in it included, and never
a name in it: the same command can be run again and again. Nothing is loaded to
where a registry keeps its own files.

Every byte is verified. DEST appears complete or not at all; to standard output,
what was written before an error is right but incomplete. A load that was
interrupted goes on where it was when it is run again; mindreg clean removes what
it has left. A load that finds too little room on the disk fetches nothing.

Of permissions, an object keeps whether a file is executable. New files and
directories get those that your umask leaves, also if they were private when they
were saved.`,
		Example: `  mindreg load my:model
  mindreg load my:data@2.1.0 ./dataset
  mindreg load -T my:model@prod /srv/model.bin
  mindreg load backup:home - | tar x`,
		Args: someArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, ref, dest := cmd.Context(), args[0], "."
			if len(args) == 2 {
				dest = args[1]
			}
			switch {
			case exact && noClobber:
				return usagef("give --exact or --no-clobber, not both")
			case exact && len(args) < 2:
				return usagef("with --exact, say which DEST is to become the object")
			case dest == "-" && (exact || noClobber):
				return usagef("--exact and --no-clobber are about a DEST on the disk, not about standard output")
			case dest == "-" && a.output == "json":
				return usagef("with - the object itself goes to standard output, so -o json cannot")
			}
			var report registry.LoadReport
			opts := []registry.LoadOption{registry.WithProgress(a.progress()), registry.WithLoadReport(&report)}
			if exact {
				opts = append(opts, registry.WithExact())
			}
			if noClobber {
				opts = append(opts, registry.WithNoClobber())
			}
			if maxSize != "" {
				n, err := cache.ParseSize(maxSize)
				if err != nil {
					return usagef("--max-size: %v", err)
				}
				opts = append(opts, registry.WithMaxSize(n))
			}
			reg, err := a.open(ctx)
			if err != nil {
				return err
			}
			start := time.Now()
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
				inTree(report.Info), time.Since(start).Round(10*time.Millisecond))
			if dest == "-" {
				return nil
			}
			if report.Replaced {
				a.remark("replaced %s, which was there", report.Dest)
			}
			return a.print(loaded{report.Info, report.Dest, report.Replaced}, func(w io.Writer) { fmt.Fprintln(w, plain.Text(report.Dest)) })
		},
		ValidArgsFunction: a.completeRefThenFile,
	}
	f := cmd.Flags()
	f.BoolVarP(&exact, "exact", "T", false, "make DEST exactly the object, whatever is there")
	f.BoolVarP(&noClobber, "no-clobber", "n", false, "fail where a file is in the way")
	f.StringVar(&maxSize, "max-size", "", "fail, and fetch nothing, if the object is larger: a `SIZE` such as 10GB")
	return cmd
}

// loaded is the JSON output of load.
type loaded struct {
	registry.Info
	Dest     string `json:"dest"`
	Replaced bool   `json:"replaced,omitempty"` // something was there before
}
