package main

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
	_ "github.com/mindtrace/registry/store/gcsstore"
	_ "github.com/mindtrace/registry/store/s3store"
)

// open opens the registry that the flags and the environment name.
func (a *app) open(ctx context.Context) (*registry.Registry, error) {
	opts, err := a.options()
	if err != nil {
		return nil, err
	}
	return registry.Open(ctx, a.url, opts)
}

// openOrMake is open for a command that saves. In the place that nobody has
// named, one's own data directory, it makes the registry.
func (a *app) openOrMake(ctx context.Context) (*registry.Registry, error) {
	opts, err := a.options()
	if err != nil {
		return nil, err
	}
	opts.Create = a.url == "" && onDefault()
	return registry.Open(ctx, a.url, opts)
}

// onDefault reports whether the environment names no registry.
func onDefault() bool { return os.Getenv("MINDREG_URL") == "" }

// mayAskCache reports whether the registry is in a bucket, or the other one
// that a command names may be: a directory is asked itself, also offline.
func (a *app) mayAskCache(cmd *cobra.Command) bool {
	url, err := a.location(nil)
	inDirectory := err == nil && (!strings.Contains(url, "://") || strings.HasPrefix(url, "file://"))
	return !inDirectory || cmd.Name() == "cp" || cmd.Name() == "verify"
}

// options are those that the global flags mean.
func (a *app) options() (*registry.Options, error) {
	memory, err := memoryLimit()
	if err != nil {
		return nil, err
	}
	opts := &registry.Options{Logger: a.logger(), Offline: a.offline, MemoryLimit: memory}
	if a.noCache {
		if a.offline {
			return nil, usagef("--offline reads from the cache, so --no-cache leaves nothing")
		}
		return opts, nil
	}
	if opts.Cache, err = a.cache(); err != nil && a.offline {
		return nil, err
	} else if err != nil {
		a.remark("no cache: %v", err)
	}
	a.cached.Store(opts.Cache)
	return opts, nil
}

// cache returns the cache that the environment names.
func (a *app) cache() (*cache.Cache, error) {
	if s := os.Getenv("MINDREG_CACHE_SIZE"); s != "" {
		if _, err := cache.ParseSize(s); err != nil {
			return nil, usagef("MINDREG_CACHE_SIZE: %v", err)
		}
	}
	return cache.Open(&cache.Options{Logger: slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{
		Level: a.level(),
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	}))})
}

// level is from which on the cache's log is shown.
func (a *app) level() slog.Level {
	switch {
	case a.verbose:
		return slog.LevelDebug
	case a.quiet:
		return slog.LevelError
	}
	return slog.LevelWarn
}

func (a *app) logger() *slog.Logger {
	if !a.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
