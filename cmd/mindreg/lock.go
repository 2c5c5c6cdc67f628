package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) lockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "lock",
		GroupID: "admin",
		Short:   "Run a command under a lock, list locks, break one",
		Long: `Locks on names, held by one or shared by many, for work that should not be done
twice at the same time. Saving and loading need none. A lock ends by itself some
time after its holder has died.`,
		Example: `  mindreg lock run nightly -- ./retrain.sh
  mindreg lock ls
  mindreg lock break nightly --why "it hangs"`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: noArgs,
	}
	cmd.AddCommand(a.lockRunCommand(), a.lockLsCommand(), a.lockBreakCommand())
	return cmd
}

func (a *app) lockLsCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List locks and who holds them",
		Long: `List the locks that are held, since when, and by whom. The epoch is the fencing
token: greater for each later holder.`,
		Example: `  mindreg lock ls
  mindreg lock ls --all`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			listed, bad, err := readable(a, reg.Locks(cmd.Context()))
			if err != nil {
				return err
			}
			locks := []registry.LockInfo{}
			for _, l := range listed {
				if all || l.State != "free" {
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
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list free locks too")
	return cmd
}

// lockRows has one row for the lock, and one for each shared holder more.
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
		rows = append(rows, row(l.Holder.Since, l.Holder.LockOwner.String()))
	}
	for _, h := range l.Shared {
		kind := "shared"
		if h.Expired {
			kind = "shared, expired"
		}
		rows = append(rows, row(h.Since, h.LockOwner.String()+" ("+kind+")"))
	}
	switch {
	case l.BrokenBy != nil:
		rows = append(rows, row(time.Time{}, "broken by "+l.BrokenBy.String()))
	case len(rows) == 0:
		rows = append(rows, row(time.Time{}, "-"))
	}
	return rows
}

func (a *app) lockBreakCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "break NAME",
		Short: "Take a lock away from its holders",
		Long: `Take the lock NAME away from whoever holds it, exclusively or shared. A lock whose
holder has died ends by itself: break one whose holder hangs. A holder learns it
when it next renews the lock, after a third of the lock's TTL at the latest, and
goes on until then.`,
		Example: `  mindreg lock break nightly --why "it hangs"`,
		Args:    someArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			if err := reg.BreakLock(cmd.Context(), args[0], why); err != nil {
				return err
			}
			return a.print(brokenLock{args[0]}, func(w io.Writer) { fmt.Fprintln(w, args[0]) })
		},
		ValidArgsFunction: a.completeHeldLock,
	}
	cmd.Flags().StringVar(&why, "why", "", "`reason`, told to the holder")
	return cmd
}

// brokenLock is the JSON output of lock break.
type brokenLock struct {
	Name string `json:"name"`
}

func (a *app) completeHeldLock(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if reg, err := a.open(cmd.Context()); err == nil && len(args) == 0 {
		for l, err := range reg.Locks(cmd.Context()) {
			if err == nil && l.Held() {
				names = append(names, l.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
