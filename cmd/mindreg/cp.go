package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) cpCommand() *cobra.Command {
	var f cpFlags
	cmd := &cobra.Command{
		Use:         "cp {REF... | --all} {--to URL | --from URL}",
		GroupID:     "main",
		Annotations: changes,
		Short:       "Copy versions to or from another registry",
		Long: `Copy the version that each REF names, or all versions in its range; a name alone
means all versions of that object, --all the whole registry. --to or --from names
the other registry. Numbers, digests, metadata and tags stay the same.

cp copies only what the destination lacks. It is safe to run again, and a rerun
continues an interrupted copy. It never replaces a version: a version that the
destination has deleted, or has with other content, is skipped. Then the exit code
is 5, or 3 if other versions were copied.`,
		Example: `  mindreg cp my:model --to s3://team/models
  mindreg cp my:model@^2 my:data --from /mnt/backup
  mindreg cp --all --from s3://team/models --to /mnt/backup
  mindreg cp my:model@1.2.3 --as golden:model@1 --to .`,
		Args:              func(_ *cobra.Command, args []string) error { return f.check(a, args) },
		RunE:              func(cmd *cobra.Command, args []string) error { return runCp(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeRefs,
	}
	cmd.Flags().StringVar(&f.from, "from", "", "copy from the registry at this `URL`")
	cmd.Flags().StringVar(&f.to, "to", "", "copy to the registry at this `URL`")
	cmd.Flags().StringVar(&f.as, "as", "", "name of the copy: `NAME[@VERSION]`")
	cmd.Flags().BoolVar(&f.all, "all", false, "copy every object")
	return cmd
}

type cpFlags struct {
	from, to, as string
	all          bool
}

func (f *cpFlags) check(a *app, args []string) error {
	switch {
	case f.all && len(args) > 0:
		return usagef("cp: give one REF or more, or --all, not both")
	case !f.all && len(args) == 0:
		return usagef("cp: say what to copy: one REF or more, or --all")
	case f.from == "" && f.to == "":
		return usagef("cp: say where to copy to (--to URL) or from (--from URL)")
	case f.from != "" && f.to != "" && a.url != "":
		return usagef("cp: --from and --to name both registries; leave --registry out")
	case f.as != "" && len(args) != 1:
		return usagef("cp: --as names the copy of one REF")
	}
	if name, version, at := strings.Cut(f.as, "@"); at && (name == "" || version == "") {
		return usagef("cp: --as %s: write NAME or NAME@VERSION", f.as)
	}
	return nil
}

func runCp(ctx context.Context, a *app, f cpFlags, args []string) error {
	src, dst, err := a.openTwo(ctx, f.from, f.to)
	if err != nil {
		return err
	}
	name, version, _ := strings.Cut(f.as, "@")
	opts := &registry.CopyOptions{Name: name, Version: version, Progress: a.progress()}
	if f.all {
		args = []string{""}
	}
	start := time.Now()
	out := copied{Copied: []registry.CopiedVersion{}}
	for _, ref := range args {
		var rep *registry.CopyReport
		rep, err = registry.Copy(ctx, dst, src, ref, opts)
		out.add(rep)
		if err != nil {
			break
		}
	}
	took := time.Since(start)
	a.bars.stop()
	return a.printDone(len(out.Copied), out, func(w io.Writer) {
		for _, c := range out.Copied {
			fmt.Fprintf(w, "%s@%s\n", c.Name, c.Version)
		}
		a.remark("%s copied, %d there already; %s, of which %s stored anew; %s", count(len(out.Copied), "version", "versions"),
			out.Present, size(out.Read), size(out.Stored), took.Round(10*time.Millisecond))
	}, err)
}

// openTwo opens source and destination. The one without a flag is the registry
// of the other commands.
func (a *app) openTwo(ctx context.Context, from, to string) (src, dst *registry.Registry, err error) {
	opts, err := a.options()
	if err != nil {
		return nil, nil, err
	}
	if src, err = registry.Open(ctx, cmp.Or(from, a.url), opts); err != nil {
		return nil, nil, fmt.Errorf("source: %w", err)
	}
	if dst, err = registry.Open(ctx, cmp.Or(to, a.url), opts); err != nil {
		return nil, nil, fmt.Errorf("destination: %w", err)
	}
	return src, dst, nil
}

// copied is the JSON output of cp.
type copied struct {
	Copied  []registry.CopiedVersion `json:"copied"`
	Present int                      `json:"present"` // versions that the destination had already
	Tags    int                      `json:"tags"`    // tags set or moved
	Read    int64                    `json:"read"`    // bytes of the copied versions
	Reused  int64                    `json:"reused"`  // of these, stored in the destination already
	Stored  int64                    `json:"stored"`  // bytes of packs written
}

func (c *copied) add(r *registry.CopyReport) {
	c.Copied = append(c.Copied, r.Copied...)
	c.Present += r.Present
	c.Tags += r.Tags
	c.Read += r.Read
	c.Reused += r.Reused
	c.Stored += r.Stored
}
