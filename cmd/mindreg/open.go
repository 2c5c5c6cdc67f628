package main

import (
	"context"
	"log/slog"

	registry "github.com/mindtrace/registry"
	_ "github.com/mindtrace/registry/store/gcsstore"
	_ "github.com/mindtrace/registry/store/s3store"
)

// open opens the registry that the flags and the environment name.
func (a *app) open(ctx context.Context) (*registry.Registry, error) {
	opts := &registry.Options{Logger: a.logger()}
	return registry.Open(ctx, a.url, opts)
}

func (a *app) logger() *slog.Logger {
	if !a.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
