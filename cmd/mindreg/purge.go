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
	var f purgeFlags
	cmd := &cobra.Command{
		Use:         "purge REF...",
		GroupID:     "admin",
		Annotations: changes,
		Short:       "Delete versions for good, and free their space sooner",
		Long: `Delete the version that each REF names for good, live or already deleted, or all
versions in its range: NAME@1.2.3, NAME@latest, 'NAME@<2', or 'NAME@*' for all.
With --deleted, live versions stay. A purged version cannot be restored, and its
number is never used again. purge asks first on a terminal, and needs --yes
elsewhere. A live version with tags is purged only with --force, which removes the
tags too.

The metadata and file names are gone at once. The data, unless another version
needs it, is gone when "mindreg gc" runs: 25 hours after the purge if it was stored
more than a week ago, up to eight days after it otherwise, because running saves
may reuse it. purge prints that time.

Copies in other registries and in caches stay: "mindreg cp" does not carry a purge
over, and "mindreg cache prune --all" empties the cache of a machine.`,
		Example: `  mindreg purge my:model@1.2.3
  mindreg purge --deleted 'my:model@*'    only what rm has deleted
  mindreg purge 'my:model@*' --force --yes && mindreg gc`,
		Args: someArgs(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error { return runPurge(cmd.Context(), a, f, args) },
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return a.completePurgeable(cmd.Context(), f.Deleted, toComplete)
		},
	}
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&f.Deleted, "deleted", false, "purge only versions that are deleted already")
	cmd.Flags().BoolVarP(&f.Force, "force", "f", false, "purge live versions that have tags too, and remove the tags")
	cmd.Flags().BoolVarP(&f.DryRun, "dry-run", "n", false, "only print what would be purged")
	return cmd
}

type purgeFlags struct {
	registry.PurgeOptions
	yes bool
}

func runPurge(ctx context.Context, a *app, f purgeFlags, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	p := &purging{ctx: ctx, reg: reg, report: &registry.PurgeReport{DryRun: f.DryRun}}
	if f.yes || f.DryRun {
		return a.printPurged(p.report, p.each(args, f.PurgeOptions))
	}
	plan := f.PurgeOptions
	plan.DryRun = true
	if err := p.each(args, plan); err != nil {
		return err
	}
	if err := a.confirm(ctx, p.report); err != nil {
		return err
	}
	// Purge exactly what was confirmed. A range or "latest" may mean another
	// version by now.
	confirmed := p.report.Purged
	p.report.Purged = nil
	for _, v := range confirmed {
		f.Deleted = !v.Live
		if err = p.one(fmt.Sprintf("%s@%s", v.Name, v.Version), f.PurgeOptions); err != nil {
			break
		}
	}
	return a.printPurged(p.report, err)
}

// purging adds up what several calls of Purge report.
type purging struct {
	ctx    context.Context
	reg    *registry.Registry
	report *registry.PurgeReport
}

func (p *purging) one(ref string, o registry.PurgeOptions) error {
	rep, err := p.reg.Purge(p.ctx, ref, &o)
	p.report.Purged = append(p.report.Purged, rep.Purged...)
	p.report.Before += rep.Before
	p.report.Left += rep.Left
	return err
}

func (p *purging) each(refs []string, o registry.PurgeOptions) error {
	for _, ref := range refs {
		if err := p.one(ref, o); err != nil {
			return err
		}
	}
	return nil
}

// printPurged prints what a purge has done before it ended with err.
func (a *app) printPurged(rep *registry.PurgeReport, err error) error {
	if rep.Purged == nil {
		rep.Purged = []registry.PurgedVersion{}
	}
	return a.printDone(len(rep.Purged), rep, func(w io.Writer) { a.listPurged(w, rep) }, err)
}

func (a *app) listPurged(w io.Writer, rep *registry.PurgeReport) {
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
		a.remark("%s %s: %s purged before", what, verb, count(rep.Before, "version was", "versions were"))
	default:
		a.remark("%s %s", what, verb)
	}
	if rep.Left > 0 {
		a.remark("%s stay as they are, left by saves that took too long; mindreg gc frees them eight days after their deletion", count(rep.Left, "version", "versions"))
	}
}

// confirm asks on a terminal whether to purge what rep says.
func (a *app) confirm(ctx context.Context, rep *registry.PurgeReport) error {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return usagef("a purge cannot be undone: run it with --dry-run first, then with --yes")
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
