package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) initCommand() *cobra.Command {
	var unversioned, createBucket bool
	var locking string
	cmd := &cobra.Command{
		Use:     "init [URL]",
		GroupID: "admin",
		Short:   "Create a registry in an empty or new directory or bucket prefix",
		Long: `Create a registry at URL, or where --registry or $MINDREG_URL point, or in your
own data directory. A registry that exists is left as it is. Before, the place is
tried with requests that race: one that would lose data is refused. Whether a
registry is unversioned or locks strictly is decided here, for ever.`,
		Example: `  mindreg init ./registry
  mindreg init --unversioned /srv/latest-models
  mindreg init --create-bucket 's3://team/models?endpoint=http://localhost:9000'`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			url, err := a.location(args)
			if err != nil {
				return err
			}
			if locking != "" && locking != "strict" {
				return usagef("--locking is strict or left out, not %q", locking)
			}
			if a.offline {
				return usagef("init makes a registry, so --offline cannot")
			}
			reg, err := registry.Open(cmd.Context(), url, &registry.Options{
				Create: true, CreateBucket: createBucket, Unversioned: unversioned, Locking: locking, Logger: a.logger(),
			})
			if err != nil {
				return err
			}
			return a.print(initialized{reg.URL(), reg.ID(), !reg.Unversioned(), reg.Locking()}, func(w io.Writer) {
				fmt.Fprintln(w, reg.URL())
			})
		},
	}
	cmd.Flags().BoolVar(&unversioned, "unversioned", false, "a save replaces the object")
	cmd.Flags().BoolVar(&createBucket, "create-bucket", false, "create the bucket, too, if it does not exist")
	cmd.Flags().StringVar(&locking, "locking", "", "strict: saves and loads take locks, which they do not need")
	return cmd
}

// initialized is the JSON output of init.
type initialized struct {
	URL       string `json:"url"`
	ID        string `json:"id"`
	Versioned bool   `json:"versioned"`
	Locking   string `json:"locking,omitempty"`
}

func (a *app) rmCommand() *cobra.Command {
	var dryRun, force bool
	cmd := &cobra.Command{
		Use:     "rm REF...",
		GroupID: "admin",
		Short:   "Delete versions; for a week they can be brought back",
		Long: `Delete the version that each REF means, or all versions in its range: write
NAME@1.2.3, NAME@latest, 'NAME@<2', or 'NAME@*' for all. The versions deleted are
printed. For a week, "mindreg undelete" brings them back. A number is never used
again. A version that has tags is deleted only with --force, and its tags with
it; without, nothing is deleted, and the exit code is 5. The space comes back in
some eight days; "mindreg purge" gets it back sooner, for good.`,
		Example: `  mindreg rm my:model@1.2.3
  mindreg rm 'my:model@<2' --dry-run
  mindreg rm 'my:model@*' --force`,
		Args: someArgs(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			remove := reg.Delete
			if dryRun {
				remove = reg.WouldDelete
			}
			var opts []registry.DeleteOption
			if force {
				opts = append(opts, registry.WithForce())
			}
			done := []removed{}
			for _, ref := range args {
				versions, rerr := remove(cmd.Context(), ref, opts...)
				for _, v := range versions {
					p, _ := registry.ParseRef(ref)
					done = append(done, removed{p.Name, v})
				}
				if rerr != nil {
					err = rerr
					break
				}
			}
			if err != nil && len(done) == 0 {
				return err
			}
			if perr := a.print(done, func(w io.Writer) {
				for _, d := range done {
					fmt.Fprintf(w, "%s@%s\n", d.Name, d.Version)
				}
			}); perr != nil {
				return perr
			}
			if err != nil {
				return &partialError{err}
			}
			return nil
		},
		ValidArgsFunction: a.completeRefs,
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "delete versions that have tags too, and remove the tags")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only print what would be deleted")
	return cmd
}

// removed is an entry of the JSON output of rm.
type removed struct {
	Name    string           `json:"name"`
	Version registry.Version `json:"version"`
}

func (a *app) undeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "undelete NAME@VERSION",
		GroupID: "admin",
		Short:   "Bring a deleted version back, within a week",
		Long: `Bring back a version that was deleted less than a week ago, as it was. Its tags
are not set again. In an unversioned registry only what was saved last can come
back.`,
		Example: `  mindreg versions my:model --deleted
  mindreg undelete my:model@1.2.3`,
		Args: someArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			if err := reg.Undelete(cmd.Context(), args[0]); err != nil {
				return err
			}
			i, err := reg.Info(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(i, func(w io.Writer) { fmt.Fprintln(w, i.Ref()) })
		},
		ValidArgsFunction: a.completeDeleted,
	}
}

func (a *app) verifyCommand() *cobra.Command {
	var repair bool
	var from string
	cmd := &cobra.Command{
		Use:     "verify [REF]",
		GroupID: "admin",
		Short:   "Read everything, or what REF means, and check every digest",
		Long: `Read every byte of the versions that REF means (with a name alone, all its
versions; without REF, the whole registry) and check it against its digests. What
is wrong is printed, and the exit code is 7. With a name alone its tags are checked,
too; without REF also locks, and that nothing else is there. What there is no
permission to read is printed and passed over: exit code 6 if nothing worse is found.

With --repair, damaged and missing data is restored from another registry: a copy
of this one, or one that has versions with the same digests. What is restored has
the digests that this registry names. Damaged tags are set as they are there, if
they point at the same version here; damaged locks are set free.`,
		Example: `  mindreg verify
  mindreg verify --repair --from /backup/registry`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if repair != (from != "") {
				return usagef("--repair and --from go together: the registry to restore from")
			}
			reg, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			ref := ""
			if len(args) == 1 {
				ref = args[0]
			}
			if repair {
				return a.repair(cmd.Context(), reg, ref, from)
			}
			report, err := reg.Verify(cmd.Context(), ref, registry.WithProgress(a.progress()))
			if err != nil {
				return err
			}
			a.bars.stop()
			err = a.print(verifiedOf(report), func(w io.Writer) { printProblems(w, report.Problems, report.Damage) })
			a.remark("%s checked, %s in %s", count(report.Versions, "version", "versions"), size(report.Bytes), count(report.Files, "entry", "entries"))
			if err == nil && !report.OK() {
				err = fmt.Errorf("verify: %s: %w", count(len(report.Problems), "problem", "problems"), problemsClass(report.Problems))
			}
			return err
		},
		ValidArgsFunction: a.completeRef,
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "restore what is damaged or missing")
	cmd.Flags().StringVar(&from, "from", "", "registry `URL` or directory to restore from")
	return cmd
}
