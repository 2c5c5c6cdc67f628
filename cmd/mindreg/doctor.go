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
	var rounds, keys int
	cmd := &cobra.Command{
		Use:     "doctor [URL]",
		GroupID: "admin",
		Short:   "Check that a directory or bucket can be trusted with a registry",
		Long: `Look at a directory or bucket as a registry would use it: which credentials are
used and where they come from, how it is addressed, whether its clock and its
settings would do harm, and then, with real requests that race over several
connections, whether it keeps each promise that a registry rests on.

Nothing that is there is touched. The keys that are made for the checks begin with
probe/ and are deleted again. There need not be a registry yet; a directory that
is missing is made, and stays.`,
		Example: `  mindreg doctor
  mindreg doctor 's3://models/team?endpoint=http://127.0.0.1:9000'
  mindreg doctor gs://models --rounds 200 --keys 20000`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			url, err := a.location(args)
			if err != nil {
				return err
			}
			if rounds < 1 || keys < 1 {
				return usagef("--rounds and --keys are at least 1")
			}
			if a.offline {
				return usagef("doctor asks the store itself, so --offline cannot")
			}
			d := &doctor{app: a, ctx: cmd.Context(), out: diagnosis{URL: url, Facts: []store.Fact{}, Checks: []checked{}}}
			err = d.examine(rounds, keys)
			if perr := a.print(d.out, func(w io.Writer) {}); perr != nil {
				return perr
			}
			if err != nil {
				return fmt.Errorf("doctor %s: %w", url, err)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&rounds, "rounds", 10, "try each race `N` times")
	cmd.Flags().IntVar(&keys, "keys", 500, "put `N` keys under one prefix")
	return cmd
}

// location is where a command that takes a URL as argument works.
func (a *app) location(args []string) (string, error) {
	url := a.url
	if len(args) == 1 {
		if args[0] == "" {
			return "", usagef("the URL is empty; give one or leave it out")
		}
		if url != "" && url != args[0] {
			return "", usagef("--registry says %s, the argument %s", url, args[0])
		}
		url = args[0]
	}
	if url == "" {
		return registry.DefaultURL()
	}
	return url, nil
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
var errUnfit = fmt.Errorf("%w: it broke a promise; do not keep a registry here", registry.ErrUnsafeStore)

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

// fact notes a fact, and tells it at once.
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

// clock compares the store's clock with ours, and tells how far away it is.
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
		f.Warning = "a registry goes by the store's clock, so this does no harm here; but signatures fail if it grows to 15 minutes"
	}
	d.fact(f)
	return nil
}

// registry tells whether there is one.
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
	d.out.Fit = true
	broken := 0
	for _, st := range d.conns {
		if m, ok := store.As[store.RootMaker](st); ok {
			if err := m.MakeRoot(d.ctx); err != nil {
				d.out.Fit = false
				return err
			}
		}
	}
	for _, c := range storecheck.All() {
		env := &storecheck.Env{Conns: d.conns, Prefix: prefix + c.Name + "/", Rounds: rounds, Keys: keys}
		start := time.Now()
		err := c.Run(d.ctx, env)
		took := time.Since(start)
		if cerr := storecheck.Clean(context.WithoutCancel(d.ctx), d.conns[0], env.Prefix); cerr != nil && err == nil {
			err = cerr
		}
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		if errors.Is(err, fs.ErrPermission) {
			d.out.Fit = false
			return fmt.Errorf("the checks cannot be made, since these credentials may not write and delete here; loading and listing work: %w", err)
		}
		if oserror.Of(err) == oserror.Full {
			d.out.Fit = false
			return fmt.Errorf("the checks cannot be made, since there is too little room, which says nothing about the store: %w; make room, and run it again", err)
		}
		if errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrStalled) {
			d.out.Fit = false
			return err
		}
		r := checked{Clause: c.Clause, Name: c.Name, Promise: c.Promise, OK: err == nil, Seconds: took.Seconds()}
		verdict := "ok"
		if err != nil {
			r.Error, d.out.Fit, verdict = err.Error(), false, "BROKEN"
			broken++
		}
		d.out.Checks = append(d.out.Checks, r)
		if d.output == "human" {
			fmt.Fprintf(d.people(), "%-7s %-18s %6.2fs  %s\n", verdict, c.Name, took.Seconds(), c.Promise)
			if err != nil {
				fmt.Fprintf(d.people(), "        %s\n", textOf(err, "\n        "))
			}
		}
	}
	if broken > 0 {
		return fmt.Errorf("%s, %w", count(broken, "check failed", "checks failed"), errUnfit)
	}
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
