package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func (a *app) resolveCommand() *cobra.Command {
	var f resolveFlags
	cmd := &cobra.Command{
		Use:     "resolve REF",
		GroupID: "look",
		Short:   "Print the exact version that a reference means now",
		Long: `Print the exact reference, NAME@VERSION, of the version that REF means now. Ranges,
tags and "latest" may mean another version later: a script that resolves REF once
and uses the answer works on one version throughout.

With --digest, the digest of the version follows, after a space. -o json has the
name, version and digest, and the tag or range in REF. The exit code is 4 if
there is no such version.`,
		Example: `  mindreg resolve my:model@^1
  model="$(mindreg resolve my:model@prod)" && mindreg load "$model" ./model.bin
  mindreg resolve my:model@prod --digest
  mindreg resolve my:model@prod -o json`,
		Args:              someArgs(1, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runResolve(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeRef,
	}
	cmd.Flags().BoolVar(&f.digest, "digest", false, "print the digest too")
	return cmd
}

type resolveFlags struct{ digest bool }

func runResolve(ctx context.Context, a *app, f resolveFlags, args []string) error {
	reg, err := a.open(ctx)
	if err != nil {
		return err
	}
	r, err := reg.Resolve(ctx, args[0])
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) {
		if f.digest {
			fmt.Fprintln(w, r.Ref(), r.Digest)
			return
		}
		fmt.Fprintln(w, r.Ref())
	})
}
