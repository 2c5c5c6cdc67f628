package registry_test

import (
	"log/slog"
	"os"

	"github.com/mindtrace/registry"
	_ "github.com/mindtrace/registry/store/memstore" // mem:
)

// With a logger at level Debug, every request to the store is logged.
func ExampleOptions_logger() {
	plain := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "took" {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: plain}))
	quiet := open()
	_, err := quiet.Save(ctx, "my:model", "weights")
	check(err)

	shared, err := registry.Open(ctx, "mem://example", &registry.Options{Create: true})
	check(err)
	_, err = shared.Save(ctx, "my:model", "weights")
	check(err)
	reg, err := registry.Open(ctx, "mem://example", &registry.Options{Logger: logger})
	check(err)
	_, err = registry.Load[string](ctx, reg, "my:model@1.0.0")
	check(err)
}
