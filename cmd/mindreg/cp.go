package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) cpCommand() *cobra.Command {
	var from, to, as string
	var all bool
	cmd := &cobra.Command{
		Use:     "cp {REF... | --all} {--to URL | --from URL}",
		GroupID: "main",
		Short:   "Copy versions to or from another registry",
		Long: `Copy the version that each REF means, all in its range, or with a name alone all
versions of it; --all copies everything. The other registry is named with --to or
--from, the one on this side as always. The bytes stay what they are, and so do
numbers, digests, metadata and tags; what the destination has already is not moved.

A copy that was interrupted is finished by running it again. A version that the
destination has with other content, or had and deleted, is never replaced: it is
left out, and the exit code says so.`,
		Example: `  mindreg cp my:model --to s3://team/models
  mindreg cp my:model@^2 my:data --from /mnt/backup
  mindreg cp --all --from s3://team/models --to /mnt/backup
  mindreg cp my:model@1.2.3 --as golden:model@1 --to .`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case all == (len(args) > 0):
				return usagef("cp: say what to copy: one REF or more, or --all")
			case from == "" && to == "":
				return usagef("cp: say where to copy to (--to URL) or from (--from URL)")
			case from != "" && to != "" && a.url != "":
				return usagef("cp: --from, --to and --registry are one too many")
			case as != "" && len(args) != 1:
				return usagef("cp: --as renames one REF")
			}
			if name, version, at := strings.Cut(as, "@"); at && (name == "" || version == "") {
				return usagef("cp: --as %s: write NAME or NAME@VERSION", as)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			src, dst, err := a.openTwo(cmd.Context(), from, to)
			if err != nil {
				return err
			}
			name, version, _ := strings.Cut(as, "@")
			opts := &registry.CopyOptions{Name: name, Version: version, Progress: a.progress()}
			if all {
				args = []string{""}
			}
			start := time.Now()
			out := copied{Copied: []registry.CopiedVersion{}}
			for _, ref := range args {
				var rep *registry.CopyReport
				rep, err = registry.Copy(cmd.Context(), dst, src, ref, opts)
				out.add(rep)
				if err != nil {
					break
				}
			}
			a.bars.stop()
			if err != nil && len(out.Copied) == 0 {
				return err
			}
			if perr := a.print(out, func(w io.Writer) {
				for _, c := range out.Copied {
					fmt.Fprintf(w, "%s@%s\n", c.Name, c.Version)
				}
			}); perr != nil {
				return perr
			}
			a.remark("%s copied, %d there already; %s, of which %s stored anew; %s", count(len(out.Copied), "version", "versions"),
				out.Present, size(out.Read), size(out.Stored), time.Since(start).Round(10*time.Millisecond))
			if err != nil {
				return &partialError{err}
			}
			return nil
		},
		ValidArgsFunction: a.completeRefs,
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "copy from the registry at this `URL`")
	f.StringVar(&to, "to", "", "copy to the registry at this `URL`")
	f.StringVar(&as, "as", "", "what the copy is called: `NAME[@VERSION]`")
	f.BoolVar(&all, "all", false, "copy every object")
	return cmd
}

// openTwo opens source and destination; the one not named is that of the
// other commands.
func (a *app) openTwo(ctx context.Context, from, to string) (src, dst *registry.Registry, err error) {
	if from == "" {
		from = a.url
	}
	if to == "" {
		to = a.url
	}
	opts, err := a.options()
	if err != nil {
		return nil, nil, err
	}
	if src, err = registry.Open(ctx, from, opts); err != nil {
		return nil, nil, fmt.Errorf("source: %w", err)
	}
	if dst, err = registry.Open(ctx, to, opts); err != nil {
		return nil, nil, fmt.Errorf("destination: %w", err)
	}
	return src, dst, nil
}

// copied is the JSON output of cp.
type copied struct {
	Copied  []registry.CopiedVersion `json:"copied"`
	Present int                      `json:"present"` // versions that were there already
	Tags    int                      `json:"tags"`    // tags set or moved
	Read    int64                    `json:"read"`    // bytes of the versions copied
	Reused  int64                    `json:"reused"`  // of these, stored there already
	Stored  int64                    `json:"stored"`  // bytes of packs put
}

func (c *copied) add(r *registry.CopyReport) {
	c.Copied = append(c.Copied, r.Copied...)
	c.Present += r.Present
	c.Tags += r.Tags
	c.Read += r.Read
	c.Reused += r.Reused
	c.Stored += r.Stored
}
