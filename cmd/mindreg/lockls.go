package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) lockLsCommand() *cobra.Command {
	var f lockLsFlags
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List locks and their holders",
		Long: `List the locks that are held, since when, and by which process. The epoch is the
fencing token: each later holder has a greater one.`,
		Example: `  mindreg lock ls
  mindreg lock ls --all`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runLockLs(cmd.Context(), a, f) },
	}
	cmd.Flags().BoolVarP(&f.all, "all", "a", false, "list free locks too")
	return cmd
}

type lockLsFlags struct{ all bool }

func runLockLs(ctx context.Context, a *app, f lockLsFlags) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	listed, bad, err := readable(a, reg.Locks(ctx))
	if err != nil {
		return err
	}
	locks := []registry.LockInfo{}
	for _, l := range listed {
		if f.all || l.State != "free" {
			locks = append(locks, l)
		}
	}
	err = a.print(locks, func(w io.Writer) {
		if len(locks) == 0 {
			if bad == nil {
				a.remark("no locks are held in %s", reg.URL())
			}
			return
		}
		rows := [][]string{{"NAME", "STATE", "EPOCH", "SINCE", "HOLDER"}}
		for _, l := range locks {
			rows = append(rows, lockRows(l)...)
		}
		table(w, rows)
	})
	return errors.Join(err, bad)
}

// lockRows returns one row for each holder of a lock, and at least one.
func lockRows(l registry.LockInfo) [][]string {
	row := func(since time.Time, holder string) []string {
		at := "-"
		if !since.IsZero() {
			at = when(since)
		}
		return []string{l.Name, l.State, strconv.FormatUint(l.Epoch, 10), at, holder}
	}
	var rows [][]string
	if l.Holder != nil {
		rows = append(rows, row(l.Holder.Since, l.Holder.Owner.String()))
	}
	for _, h := range l.Shared {
		kind := "shared"
		if h.Expired {
			kind = "shared, expired"
		}
		rows = append(rows, row(h.Since, h.Owner.String()+" ("+kind+")"))
	}
	switch {
	case l.BrokenBy != nil:
		rows = append(rows, row(time.Time{}, "broken by "+l.BrokenBy.String()))
	case len(rows) == 0:
		rows = append(rows, row(time.Time{}, "-"))
	}
	return rows
}
