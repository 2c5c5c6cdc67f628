package registry

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/store/filestore"
)

// noiseFile writes n bytes that no two chunks share.
func noiseFile(b *testing.B, path string, n int64) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 256<<10)
	r := rand.NewChaCha8([32]byte{1})
	buf := make([]byte, 64<<10)
	for ; n > 0; n -= int64(len(buf)) {
		r.Read(buf)
		if _, err := w.Write(buf[:min(n, int64(len(buf)))]); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}

func local(b *testing.B, dir string) *Registry {
	b.Helper()
	r, err := Open(b.Context(), dir, &Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

const benchSize = 512 << 20

// BenchmarkSaveFile saves one large file to a directory.
func BenchmarkSaveFile(b *testing.B) {
	src := filepath.Join(b.TempDir(), "src")
	noiseFile(b, src, benchSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		b.StopTimer()
		r := local(b, filepath.Join(b.TempDir(), "r"))
		b.StartTimer()
		if _, err := r.Save(b.Context(), "m", Path(src)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		os.RemoveAll(r.URL())
		b.StartTimer()
	}
}

// BenchmarkLoadFile loads one large file from a directory into another.
func BenchmarkLoadFile(b *testing.B) {
	dir := b.TempDir()
	src := filepath.Join(dir, "src")
	noiseFile(b, src, benchSize)
	r := local(b, filepath.Join(dir, "registry"))
	if _, err := r.Save(b.Context(), "m", Path(src)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	for b.Loop() {
		dst := filepath.Join(dir, "dst")
		if err := r.Load(b.Context(), "m", Path(dst)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		os.Remove(dst)
		b.StartTimer()
	}
}

// smallFiles writes n files of size bytes, a hundred to a directory.
func smallFiles(b *testing.B, dir string, n, size int) {
	b.Helper()
	r := rand.NewChaCha8([32]byte{2})
	buf := make([]byte, size)
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprint(i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(sub, 0o777); err != nil {
				b.Fatal(err)
			}
		}
		r.Read(buf)
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), buf, 0o666); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSaveTree saves 20 000 files of 4 KiB.
func BenchmarkSaveTree(b *testing.B) {
	src := filepath.Join(b.TempDir(), "src")
	smallFiles(b, src, 20000, 4<<10)
	for b.Loop() {
		r := local(b, filepath.Join(b.TempDir(), "r"))
		if _, err := r.Save(b.Context(), "m", Path(src)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadTree loads them.
func BenchmarkLoadTree(b *testing.B) {
	dir := b.TempDir()
	src := filepath.Join(dir, "src")
	smallFiles(b, src, 20000, 4<<10)
	r := local(b, filepath.Join(dir, "registry"))
	if _, err := r.Save(b.Context(), "m", Path(src)); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if err := r.Load(b.Context(), "m", Path(filepath.Join(dir, fmt.Sprint(i)))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSave1K saves small objects, by turns with the system calls without
// which no file is both atomic and durable, and reports how much slower it is.
func BenchmarkSave1K(b *testing.B) {
	for _, names := range []string{"one", "many"} {
		for _, savers := range []int{1, 16} {
			b.Run(fmt.Sprintf("names=%s/savers=%d", names, savers), func(b *testing.B) {
				r, bare := local(b, b.TempDir()), b.TempDir()
				body := make([]byte, 1<<10)
				var ours, floor time.Duration
				for from := 0; from < b.N; from += 64 {
					to := min(from+64, b.N)
					ours += inTurns(b, savers, from, to, func(saver, i int) error {
						name := fmt.Sprint("m:", saver)
						if names == "many" {
							name = fmt.Sprint("m:", i)
						}
						_, err := r.Save(b.Context(), name, body)
						return err
					})
					floor += inTurns(b, savers, from, to, func(_, i int) error {
						return barePut(bare, fmt.Sprint(i), body)
					})
				}
				b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N), "bare-ns/op")
				b.ReportMetric(float64(ours)/float64(floor), "x-bare")
			})
		}
	}
}

// inTurns does from to to-1 with that many goroutines, and returns how long it took.
func inTurns(b *testing.B, workers, from, to int, do func(worker, i int) error) time.Duration {
	begin := time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := from + w; i < to; i += workers {
				if err := do(w, i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

func barePut(dir, name string, body []byte) error {
	temp := filepath.Join(dir, "."+name)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(body); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(temp, filepath.Join(dir, name)); err != nil {
		return err
	}
	if err := os.Remove(temp); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

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
