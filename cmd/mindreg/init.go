package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

func (a *app) initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:         "init [URL]",
		GroupID:     "admin",
		Annotations: changes,
		Short:       "Create a registry in a directory or bucket",
		Long: `Create a registry at URL, and print where it is. Without URL it is --registry,
$MINDREG_URL or your data directory. The place must be new or empty. If a registry
exists there already, nothing changes.

First, init sends requests that race to the store, and refuses a store that would
lose data. Two settings are fixed from then on: whether the registry keeps
versions (--unversioned), and whether saves and loads take locks (--locking).`,
		Example: `  mindreg init ./registry
  mindreg init --unversioned /srv/latest-models
  mindreg init --create-bucket 's3://team/models?endpoint=http://localhost:9000'`,
		Args: someArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return runInit(cmd.Context(), a, f, args) },
	}
	cmd.Flags().BoolVar(&f.unversioned, "unversioned", false, "keep no versions: a save replaces the object")
	cmd.Flags().BoolVar(&f.createBucket, "create-bucket", false, "create the bucket too, if it does not exist")
	cmd.Flags().StringVar(&f.locking, "locking", "", "\"strict\": saves and loads take locks; safety does not need them")
	return cmd
}

type initFlags struct {
	unversioned, createBucket bool
	locking                   string
}

// initialized is the JSON output of init.
type initialized struct {
	URL       string `json:"url"`
	ID        string `json:"id"`
	Versioned bool   `json:"versioned"`
	Locking   string `json:"locking,omitempty"`
}

func runInit(ctx context.Context, a *app, f initFlags, args []string) error {
	url, err := a.location(args)
	if err != nil {
		return err
	}
	if f.locking != "" && f.locking != "strict" {
		return usagef("--locking is strict or left out, not %q", f.locking)
	}
	if a.offline {
		return usagef("init creates a registry, so it cannot run with --offline")
	}
	reg, err := registry.Open(ctx, url, &registry.Options{
		Create: true, CreateBucket: f.createBucket, Unversioned: f.unversioned, Locking: registry.Locking(f.locking), Logger: a.logger(),
	})
	if err != nil {
		return err
	}
	return a.print(initialized{reg.URL(), reg.ID(), !reg.Unversioned(), string(reg.Locking())}, func(w io.Writer) {
		fmt.Fprintln(w, reg.URL())
	})
}
