package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/internal/plain"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:     "doctor [URL]",
		GroupID: "admin",
		Short:   "Check whether a directory or bucket is safe for a registry",
		Long: `Check a directory or bucket as a registry would use it. doctor prints which
credentials are used and where they come from, how the place is addressed, and
whether its clock and settings would do harm. Then it sends real requests that
race over several connections, and checks each promise that a registry needs.

The place need not have a registry. Existing data is not touched: the keys of the
checks begin with probe/, and doctor deletes them. A missing directory is created
and stays. If a promise is broken, the exit code is 1.`,
		Example: `  mindreg doctor
  mindreg doctor 's3://models/team?endpoint=http://127.0.0.1:9000'
  mindreg doctor gs://models --rounds 200 --keys 20000`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return runDoctor(cmd.Context(), a, f, args) },
	}
	cmd.Flags().IntVar(&f.rounds, "rounds", 10, "run each race `N` times")
	cmd.Flags().IntVar(&f.keys, "keys", 500, "put `N` keys under one prefix")
	return cmd
}

type doctorFlags struct{ rounds, keys int }

func runDoctor(ctx context.Context, a *app, f doctorFlags, args []string) error {
	url, err := a.location(args)
	if err != nil {
		return err
	}
	if f.rounds < 1 || f.keys < 1 {
		return usagef("--rounds and --keys are at least 1")
	}
	if a.offline {
		return usagef("doctor sends requests to the store, so it cannot run with --offline")
	}
	d := &doctor{app: a, ctx: ctx, out: diagnosis{URL: url, Facts: []store.Fact{}, Checks: []checked{}}}
	err = d.examine(f.rounds, f.keys)
	if perr := a.print(d.out, func(w io.Writer) {}); perr != nil {
		return perr
	}
	if err != nil {
		return fmt.Errorf("doctor %s: %w", url, err)
	}
	return nil
}

// diagnosis is the JSON output of doctor.
type diagnosis struct {
	URL    string       `json:"url"`
	Fit    bool         `json:"fit"` // every promise was kept
	Facts  []store.Fact `json:"facts"`
	Checks []checked    `json:"checks"`
}

type checked struct {
	Clause  int     `json:"clause"`
	Name    string  `json:"name"`
	Promise string  `json:"promise"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

type doctor struct {
	*app
	ctx   context.Context
	conns []store.Store
	out   diagnosis
}

// errUnfit means that a store broke a promise.
var errUnfit = fmt.Errorf("%w: the store broke a promise; do not keep a registry here", registry.ErrUnsafeStore)

func (d *doctor) examine(rounds, keys int) error {
	for range 4 {
		st, err := store.Open(d.ctx, d.out.URL)
		if err != nil {
			return err
		}
		d.conns = append(d.conns, wrapstore.Retry(st, wrapstore.RetryPolicy{}))
	}
	if err := d.place(); err != nil {
		return err
	}
	if err := d.clock(); err != nil {
		return err
	}
	if err := d.registry(); err != nil {
		return err
	}
	return d.promises(rounds, keys)
}

// fact notes a fact, and prints it at once.
func (d *doctor) fact(f store.Fact) {
	d.out.Facts = append(d.out.Facts, f)
	if d.output != "human" {
		return
	}
	fmt.Fprintf(d.people(), "%-16s %s\n", f.Name, plain.Text(f.Value))
	if f.Warning != "" {
		fmt.Fprintf(d.people(), "%-16s ! %s\n", "", plain.Text(f.Warning))
	}
}

func (d *doctor) place() error {
	st, err := store.Open(d.ctx, d.out.URL)
	if err != nil {
		return err
	}
	d.fact(store.Fact{Name: "url", Value: d.out.URL})
	i, ok := store.As[store.Inspector](st)
	if !ok {
		return nil
	}
	facts, err := i.Inspect(d.ctx)
	for _, f := range facts {
		d.fact(f)
	}
	return err
}

// clock compares the store's clock with the one of this machine, and measures a
// round trip.
func (d *doctor) clock() error {
	best := time.Duration(1<<63 - 1)
	var off time.Duration
	for range 5 {
		start := time.Now()
		at, err := d.conns[0].Now(d.ctx)
		if err != nil {
			return err
		}
		if took := time.Since(start); took < best {
			best, off = took, at.Sub(start.Add(took/2))
		}
	}
	d.fact(store.Fact{Name: "round trip", Value: best.Round(10 * time.Microsecond).String()})
	f := store.Fact{Name: "clock", Value: "agrees with this machine's to some seconds"}
	if off.Abs() > 5*time.Second {
		f.Value = fmt.Sprintf("%s off this machine's", off.Round(time.Second))
		f.Warning = "a registry uses the store's clock, so this does no harm; but signatures fail from 15 minutes on"
	}
	d.fact(f)
	return nil
}

// registry reports whether the place has a registry.
func (d *doctor) registry() error {
	body, _, err := d.conns[0].Get(d.ctx, manifest.SettingsKey, nil)
	if errors.Is(err, fs.ErrNotExist) {
		d.fact(store.Fact{Name: "registry", Value: "none yet; mindreg init makes one"})
		return nil
	}
	if err != nil {
		return err
	}
	s, err := manifest.DecodeSettings(body)
	if err != nil {
		d.fact(store.Fact{Name: "registry", Value: "cannot be read", Warning: err.Error()})
		return nil
	}
	d.fact(store.Fact{Name: "registry", Value: fmt.Sprintf("%s, created %s", s.ID, when(s.Created))})
	return nil
}

func (d *doctor) promises(rounds, keys int) error {
	prefix := manifest.ProbePrefix + string(manifest.NewNonce()) + "/"
	for _, st := range d.conns {
		if m, ok := store.As[store.RootMaker](st); ok {
			if err := m.MakeRoot(d.ctx); err != nil {
				return err
			}
		}
	}
	broken := 0
	for _, c := range storecheck.All() {
		env := &storecheck.Env{Conns: d.conns, Prefix: prefix + c.Name + "/", Rounds: rounds, Keys: keys}
		start := time.Now()
		err := c.Run(d.ctx, env)
		took := time.Since(start)
		if cerr := storecheck.Clean(context.WithoutCancel(d.ctx), d.conns[0], env.Prefix); cerr != nil && err == nil {
			err = cerr
		}
		if err := d.noVerdict(err); err != nil {
			return err
		}
		d.verdict(c, took, err)
		if err != nil {
			broken++
		}
	}
	if broken > 0 {
		return fmt.Errorf("%s, %w", count(broken, "check failed", "checks failed"), errUnfit)
	}
	d.out.Fit = true
	warnings := 0
	for _, f := range d.out.Facts {
		if f.Warning != "" {
			warnings++
		}
	}
	if warnings > 0 {
		d.remark("it keeps every promise checked; mind the %s above", count(warnings, "warning", "warnings"))
	} else {
		d.remark("it keeps every promise checked")
	}
	return nil
}

// noVerdict returns an error if a check ended for a reason that says nothing
// about the promises of the store.
func (d *doctor) noVerdict(err error) error {
	switch {
	case d.ctx.Err() != nil:
		return context.Cause(d.ctx)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the checks cannot run: these credentials may not write and delete here; loading and listing work: %w", err)
	case oserror.Of(err) == oserror.Full:
		return fmt.Errorf("the checks cannot run: there is too little room, which says nothing about the store: %w; make room and run doctor again", err)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrStalled):
		return err
	}
	return nil
}

// verdict notes the result of a check, and prints it at once.
func (d *doctor) verdict(c storecheck.Check, took time.Duration, err error) {
	r := checked{Clause: c.Clause, Name: c.Name, Promise: c.Promise, OK: err == nil, Seconds: took.Seconds()}
	word := "ok"
	if err != nil {
		r.Error, word = err.Error(), "BROKEN"
	}
	d.out.Checks = append(d.out.Checks, r)
	if d.output != "human" {
		return
	}
	fmt.Fprintf(d.people(), "%-7s %-18s %6.2fs  %s\n", word, c.Name, took.Seconds(), c.Promise)
	if err != nil {
		fmt.Fprintf(d.people(), "        %s\n", textOf(err, "\n        "))
	}
}
