package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:         "verify [REF]",
		GroupID:     "admin",
		Annotations: changes, // with --repair
		Short:       "Read stored data and check every digest",
		Long: `Read every byte of the version that REF names, or of all versions in its range, and
compare it with its digests. A name alone means all versions and tags of that
object. Without REF, verify reads the whole registry, checks tags and locks too,
and reports files that do not belong there.

Problems are printed, and the exit code is 7. Data without read permission is
printed and skipped: exit code 6 if there is no other problem.

With --repair, verify restores damaged and missing data from another registry: a
copy of this one, or one that has versions with the same digests. Restored data
has exactly the digests that this registry names. A damaged tag is set as it is in
the other registry, if it points at the same version here. A damaged lock is
released.`,
		Example: `  mindreg verify
  mindreg verify my:model@1.2.3
  mindreg verify --repair --from /backup/registry`,
		Args:              someArgs(0, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runVerify(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeRef,
	}
	cmd.Flags().BoolVar(&f.repair, "repair", false, "restore damaged and missing data, from the registry in --from")
	cmd.Flags().StringVar(&f.from, "from", "", "`URL` or directory of the registry to restore from")
	return cmd
}

type verifyFlags struct {
	repair bool
	from   string
}

func runVerify(ctx context.Context, a *app, f verifyFlags, args []string) error {
	if f.repair != (f.from != "") {
		return usagef("give --repair and --from together; --from names the registry to restore from")
	}
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	ref := strings.Join(args, "")
	if f.repair {
		return a.repair(ctx, reg, ref, f.from)
	}
	report, err := reg.Verify(ctx, ref, &registry.VerifyOptions{Progress: a.progress()})
	if err != nil {
		return err
	}
	a.bars.stop()
	err = a.print(report, func(w io.Writer) { printProblems(w, report.Problems, report.Damage) })
	a.remark("%s checked, %s in %s", count(report.Versions, "version", "versions"), size(report.Bytes), count(report.Files, "entry", "entries"))
	if err == nil && !report.OK() {
		err = fmt.Errorf("verify: %s: %w", count(len(report.Problems), "problem", "problems"), problemsClass(report.Problems))
	}
	return err
}
