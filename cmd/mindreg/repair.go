package main

import (
	"context"
	"fmt"
	"io"

	registry "github.com/mindtrace/registry"
)

// maxHurts is how many files are printed for one damaged pack.
const maxHurts = 20

func printProblems(w io.Writer, problems []registry.Problem, damage []registry.Damage) {
	for _, p := range problems {
		if p.Ref != "" {
			fmt.Fprintf(w, "%s: ", p.Ref)
		}
		fmt.Fprintln(w, p.Err)
	}
	for _, d := range damage {
		what := "damaged"
		if d.Missing {
			what = "missing"
		}
		fmt.Fprintf(w, "%s is %s:\n", d.Key, what)
		for i, h := range d.Hurts {
			if i == maxHurts {
				fmt.Fprintf(w, "  and %d more; -o json lists them\n", len(d.Hurts)-i)
				break
			}
			fmt.Fprintf(w, "  %s\n", h)
		}
	}
}

func (a *app) repair(ctx context.Context, reg *registry.Registry, ref, from string) error {
	opts, err := a.options()
	if err != nil {
		return err
	}
	mirror, err := registry.Open(ctx, from, opts)
	if err != nil {
		return err
	}
	if mirror.URL() == reg.URL() {
		return usagef("--from names the registry that --repair works on; give another one")
	}
	report, err := reg.Repair(ctx, ref, mirror, &registry.RepairOptions{Progress: a.progress()})
	if err != nil {
		return err
	}
	a.bars.stop()
	if err := a.print(report, func(w io.Writer) {
		for _, key := range report.Packs {
			fmt.Fprintf(w, "restored %s\n", key)
		}
		for _, v := range report.Versions {
			fmt.Fprintf(w, "restored %s\n", v)
		}
		for _, key := range report.Mended {
			fmt.Fprintf(w, "mended %s\n", key)
		}
		printProblems(w, report.Problems, nil)
	}); err != nil {
		return err
	}
	if !report.OK() {
		return fmt.Errorf("verify: %s left: %w", count(len(report.Problems), "problem", "problems"), problemsClass(report.Problems))
	}
	a.remark("%s found, none left", count(len(report.Found.Problems), "problem", "problems"))
	return nil
}
