package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	registry "github.com/mindtrace/registry"
)

func (a *app) purgeCommand() *cobra.Command {
	var o registry.PurgeOptions
	var yes bool
	cmd := &cobra.Command{
		Use:     "purge REF...",
		GroupID: "admin",
		Short:   "Delete versions for good, and free their space sooner",
		Long: `Delete the version that each REF means for good, live or deleted, or all versions
in its range, the deleted ones among them: NAME@1.2.3, NAME@latest, 'NAME@<2', or
'NAME@*' for all. With --deleted, live versions are left alone. Nothing brings
a version back that was purged, not even for a week; its number is never used
again. It asks on a terminal, and needs --yes elsewhere. A live version that has
tags is purged only with --force, and its tags go with it.

"mindreg gc" frees the space later, of what no other version needs: 25 hours after
the purge for data that was stored more than a week before, since saves under way
may build on it, and up to eight days after for what was stored just now. When
that is, is printed. The metadata and the names of the files are gone from the
registry at once. Copies in other registries and in caches are not touched:
"mindreg cp" does not carry the purge there, and "mindreg cache prune --all" empties
the cache of a machine.`,
		Example: `  mindreg purge my:model@1.2.3
  mindreg purge --deleted 'my:model@*'    what rm has deleted, to get its space back
  mindreg purge 'my:model@*' --force --yes && mindreg gc`,
		Args: someArgs(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			reg, err := a.open(ctx)
			if err != nil {
				return err
			}
			all := &registry.PurgeReport{DryRun: o.DryRun, Purged: []registry.PurgedVersion{}}
			purge := func(ref string, o registry.PurgeOptions) error {
				rep, err := reg.Purge(ctx, ref, &o)
				all.Purged = append(all.Purged, rep.Purged...)
				all.Before, all.Left = all.Before+rep.Before, all.Left+rep.Left
				return err
			}
			each := func(o registry.PurgeOptions) error {
				for _, ref := range args {
					if err := purge(ref, o); err != nil {
						return err
					}
				}
				return nil
			}
			if yes || o.DryRun {
				return a.purged(all, each(o))
			}
			plan := o
			plan.DryRun = true
			if err := each(plan); err != nil {
				return err
			}
			if err := a.confirm(ctx, all); err != nil {
				return err
			}
			// What was asked about, and no other version that a range or
			// "latest" means by now.
			asked := all.Purged
			all.Purged = []registry.PurgedVersion{}
			for _, p := range asked {
				o.Deleted = !p.Live
				if err := purge(fmt.Sprintf("%s@%s", p.Name, p.Version), o); err != nil {
					return a.purged(all, err)
				}
			}
			return a.purged(all, nil)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			refs, done := a.refs(cmd.Context(), toComplete, true)
			if !o.Deleted || !strings.Contains(toComplete, "@") {
				live, _ := a.refs(cmd.Context(), toComplete, false)
				refs = append(live, refs...)
			}
			return refs, done
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.Deleted, "deleted", false, "purge only what is deleted already")
	f.BoolVarP(&o.Force, "force", "f", false, "purge live versions that have tags too, and remove the tags")
	f.BoolVarP(&o.DryRun, "dry-run", "n", false, "only print what would be purged")
	return cmd
}

// purged prints what a purge has done before it ended with err.
func (a *app) purged(rep *registry.PurgeReport, err error) error {
	if err != nil && len(rep.Purged) == 0 {
		return err
	}
	if perr := a.print(rep, func(w io.Writer) { a.printPurged(w, rep) }); perr != nil {
		return perr
	}
	if err != nil {
		return &partialError{err}
	}
	return nil
}

func (a *app) printPurged(w io.Writer, rep *registry.PurgeReport) {
	var bytes int64
	var frees time.Time
	for _, p := range rep.Purged {
		fmt.Fprintf(w, "%s@%s\n", p.Name, p.Version)
		bytes += p.Size
		if p.Frees.After(frees) {
			frees = p.Frees
		}
	}
	verb := "purged"
	if rep.DryRun {
		verb = "would be purged"
	}
	what := count(len(rep.Purged), "version", "versions")
	switch {
	case len(rep.Purged) > 0:
		a.remark("%s of %s %s; after %s, mindreg gc frees what no other version needs", what, size(bytes), verb, when(frees))
	case rep.Before > 0:
		a.remark("%s %s: they were before", what, verb)
	default:
		a.remark("%s %s", what, verb)
	}
	if rep.Left > 0 {
		a.remark("%s of saves that took too long left as they are; eight days after they were deleted, mindreg gc frees them", count(rep.Left, "version", "versions"))
	}
}

// confirm asks on a terminal whether to purge what rep says.
func (a *app) confirm(ctx context.Context, rep *registry.PurgeReport) error {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return usagef("purge cannot be undone: look with --dry-run, then give --yes")
	}
	if len(rep.Purged) == 0 {
		return nil
	}
	live := 0
	var bytes int64
	for _, p := range rep.Purged {
		bytes += p.Size
		state := "deleted"
		if p.Live {
			live++
			state = "live"
		}
		fmt.Fprintf(a.stderr, "%s@%s  %s  %s\n", p.Name, p.Version, size(p.Size), state)
	}
	fmt.Fprintf(a.stderr, "Delete %s of %s for good, %d of them live? This cannot be undone. [y/N] ", count(len(rep.Purged), "version", "versions"), size(bytes), live)
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		typed <- line
	}()
	var line string
	select {
	case line = <-typed:
	case <-ctx.Done(): // nothing ends the read
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer == "y" || answer == "yes" {
		return nil
	}
	if !strings.HasSuffix(line, "\n") {
		fmt.Fprintln(a.stderr)
	}
	return errNotConfirmed
}

var errNotConfirmed = errors.New("nothing was purged: it was not confirmed")

// forGood is what follows the time of a deletion that cannot be undone.
func forGood(purged bool) string {
	if purged {
		return " for good"
	}
	return ""
}
