package main

import (
	"context"
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
	var f loadFlags
	cmd := &cobra.Command{
		Use:     "load REF [DEST|-]",
		GroupID: "main",
		Short:   "Fetch a version to a file or directory, every byte verified",
		Long: `Fetch the version that REF names, and print where it is. DEST works as for
"cp -r":

  REF is one file   DEST is the file to write, or a directory to write it into;
                    a DEST that ends in / is always a directory
  REF is a tree     DEST is the directory to create; if DEST exists, the tree
                    goes into it, named by the last part of the object's name

Missing directories above DEST are created. Without DEST, the object goes to the
current directory. With - as DEST, an object of one file goes to standard output.

An existing file is replaced and keeps its permissions; a remark says so. If DEST
is a symbolic link, load replaces the file that it leads to. An existing directory
is never replaced. --no-clobber replaces nothing. --exact makes DEST exactly the
object, whatever DEST was; everything else in a directory DEST is removed, so the
same command can run again and again. load refuses to write to files of a registry.

DEST is complete or unchanged. Standard output may get a part before an error; that
part is correct. An interrupted load, run again, continues where it stopped;
mindreg clean removes what it left. If the disk has too little room, load fetches
nothing.

A version stores whether a file is executable, and no other permissions: your
umask decides them, even for files that were private when they were saved.`,
		Example: `  mindreg load my:model
  mindreg load my:data@2.1.0 ./dataset
  mindreg load -T my:model@prod /srv/model.bin
  mindreg load backup:home - | tar x`,
		Args:              someArgs(1, 2),
		RunE:              func(cmd *cobra.Command, args []string) error { return runLoad(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeRefThenFile,
	}
	cmd.Flags().BoolVarP(&f.exact, "exact", "T", false, "make DEST exactly the object, whatever DEST is now")
	cmd.Flags().BoolVarP(&f.noClobber, "no-clobber", "n", false, "fail if the file exists")
	cmd.Flags().StringVar(&f.maxSize, "max-size", "", "fail before fetching if the object is larger than `SIZE`: 10GB")
	return cmd
}

type loadFlags struct {
	exact, noClobber bool
	maxSize          string
}

// options returns the options of a load to dest.
func (f *loadFlags) options(dest string) ([]registry.LoadOption, error) {
	var opts []registry.LoadOption
	if f.exact {
		opts = append(opts, registry.WithExact())
	}
	if f.noClobber {
		opts = append(opts, registry.WithNoClobber())
	}
	if f.maxSize != "" {
		n, err := cache.ParseSize(f.maxSize)
		if err != nil {
			return nil, usagef("--max-size: %v", err)
		}
		opts = append(opts, registry.WithMaxSize(n))
	}
	if dest == "-" {
		opts = append(opts, registry.WithMaterializer(material.Bytes{}))
	}
	return opts, nil
}

// loaded is the JSON output of load and checkout.
type loaded struct {
	registry.Info
	Dest     string `json:"dest"`
	Replaced bool   `json:"replaced,omitempty"` // DEST existed before
}

func runLoad(ctx context.Context, a *app, f loadFlags, args []string) error {
	ref, dest := args[0], "."
	if len(args) == 2 {
		dest = args[1]
	}
	switch {
	case f.exact && f.noClobber:
		return usagef("give --exact or --no-clobber, not both")
	case f.exact && len(args) < 2:
		return usagef("--exact needs DEST: say which file or directory becomes the object")
	case dest == "-" && (f.exact || f.noClobber):
		return usagef("--exact and --no-clobber need a DEST on the disk, not standard output")
	case dest == "-" && a.output == "json":
		return usagef("with - the object itself goes to standard output; leave -o json out")
	}
	opts, err := f.options(dest)
	if err != nil {
		return err
	}
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	var into any = registry.Path(dest)
	if dest == "-" {
		into = a.stdout
	}
	var report registry.LoadReport
	opts = append(opts, registry.WithProgress(a.progress()), registry.WithLoadReport(&report))
	if err := reg.Load(ctx, ref, into, opts...); err != nil {
		return err
	}
	a.bars.stop()
	a.remark("%s", loadSummary(report.Info, time.Since(start)))
	if dest == "-" {
		return nil
	}
	if report.Replaced {
		a.remark("replaced %s", report.Dest)
	}
	return a.print(loaded{report.Info, report.Dest, report.Replaced}, func(w io.Writer) { fmt.Fprintln(w, plain.Text(report.Dest)) })
}

// loadSummary says which version was loaded, how large it is, and how long it
// took.
func loadSummary(i registry.Info, took time.Duration) string {
	return fmt.Sprintf("%s, %s, %s in %s; %s", i.Ref(), i.Digest, size(i.Size), inTree(i), took.Round(10*time.Millisecond))
}
