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

// openOrCreate is open for a command that saves. It creates the registry in the
// user's data directory, if neither a flag nor the environment names another.
func (a *app) openOrCreate(ctx context.Context) (*registry.Registry, error) {
	opts, err := a.options()
	if err != nil {
		return nil, err
	}
	opts.Create = a.url == "" && onDefault()
	return registry.Open(ctx, a.url, opts)
}

// onDefault reports whether the environment names no registry.
func onDefault() bool { return os.Getenv("MINDREG_URL") == "" }

// mayAskCache reports whether a command may read from the cache: its registry
// is in a bucket, or another registry that it uses may be. A directory is read
// itself, also with --offline.
func (a *app) mayAskCache(cmd *cobra.Command) bool {
	switch cmd.CommandPath() {
	case "mindreg init", "mindreg doctor": // they refuse to run
		return false
	}
	url, err := a.location(nil)
	inDirectory := err == nil && (!strings.Contains(url, "://") || strings.HasPrefix(url, "file://"))
	return !inDirectory || cmd.Name() == "cp" || cmd.Name() == "verify"
}

// options returns the options that the global flags stand for.
func (a *app) options() (*registry.Options, error) {
	memory, err := memoryLimit()
	if err != nil {
		return nil, err
	}
	opts := &registry.Options{Logger: a.logger(), Offline: a.offline, MemoryLimit: memory}
	if a.noCache {
		if a.offline {
			return nil, usagef("--offline reads from the cache; leave --no-cache out")
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

// level returns the lowest level of the cache's log that is printed.
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

// location returns the URL that a command with a URL as argument works on.
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
