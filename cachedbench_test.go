package registry

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/store/filestore"
)

// What the cache costs the first load and saves the next, with the store as
// near as can be: the directory of the registry is on the same disk.
func BenchmarkLoadThroughCache(b *testing.B) {
	st, err := filestore.New(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	const size = 256 << 20
	if _, err := openOn(b, st, nil).Save(b.Context(), "big", noise(1, size)); err != nil {
		b.Fatal(err)
	}
	place := b.TempDir()
	load := func(b *testing.B, c *cache.Cache) {
		r := openOn(b, st, &Options{Cache: c})
		dest := filepath.Join(place, "out")
		if err := r.Load(b.Context(), "big", Path(dest)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		os.RemoveAll(dest)
		b.StartTimer()
	}
	c := newCache(b, filepath.Join(place, "cache"), 1<<30)
	for _, how := range []struct {
		name string
		once func(b *testing.B)
	}{
		{"none", func(b *testing.B) { load(b, nil) }},
		{"cold", func(b *testing.B) {
			b.StopTimer()
			if _, err := c.Prune(0); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			load(b, c)
		}},
		{"warm", func(b *testing.B) { load(b, c) }},
		{"checkout", func(b *testing.B) {
			if _, err := openOn(b, st, &Options{Cache: c}).Checkout(b.Context(), "big", nil); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(how.name, func(b *testing.B) {
			b.SetBytes(size)
			if how.name == "checkout" {
				how.once(b) // the first makes it
				b.ResetTimer()
			}
			for range b.N {
				how.once(b)
			}
		})
	}
}
