package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// barePut is the floor under Put: the system calls without which no file is
// both atomic and durable, and nothing else.
func barePut(dir, name string, body []byte) error {
	temp := filepath.Join(dir, tempPrefix+name)
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

// BenchmarkPut1K puts new keys. It takes turns with barePut, for disks are
// moody, and reports the ratio.
func BenchmarkPut1K(b *testing.B) {
	body := make([]byte, 1<<10)
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			s := open(b, b.TempDir())
			bare := filepath.Join(b.TempDir(), "objects")
			if err := os.Mkdir(bare, 0o777); err != nil {
				b.Fatal(err)
			}
			put(b, s, "objects/first", "", store.Absent) // makes and flushes the directories
			var ours, floor time.Duration
			for from := 0; from < b.N; from += 200 {
				to := min(from+200, b.N)
				b.StartTimer()
				ours += inParallel(b, workers, from, to, func(i int) error {
					_, err := s.Put(b.Context(), fmt.Sprintf("objects/%d", i), body, store.Absent)
					return err
				})
				b.StopTimer()
				floor += inParallel(b, workers, from, to, func(i int) error {
					return barePut(bare, fmt.Sprint(i), body)
				})
			}
			b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N), "bare-ns/op")
			b.ReportMetric(float64(ours)/float64(floor), "x-bare")
		})
	}
}

// inParallel does from to to-1, and tells how long it took.
func inParallel(b *testing.B, workers, from, to int, do func(i int) error) time.Duration {
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := from + w; i < to; i += workers {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

func BenchmarkList1000(b *testing.B) {
	s := open(b, b.TempDir())
	if err := os.Mkdir(s.path("objects"), 0o777); err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		if err := os.WriteFile(s.path(fmt.Sprintf("objects/%04d", i)), nil, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		if n := len(keys(b, s, "objects/")); n != 1000 {
			b.Fatalf("List shows %d keys", n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
}
