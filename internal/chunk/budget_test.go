package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

func noLimit() *Budget {
	b, err := NewBudget(0)
	if err != nil {
		panic(err)
	}
	return b
}

func budget(t testing.TB, limit int64) *Budget {
	t.Helper()
	b, err := NewBudget(limit)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// within checks that the limit was kept, that nothing is held any more but
// chunks read last, and that as much can be had as before.
func within(t testing.TB, b *Budget) {
	t.Helper()
	if b.Peak() > b.limit {
		t.Errorf("%d bytes were in use, the limit is %d", b.Peak(), b.limit)
	}
	if b.used != b.cache.size || b.ahead != 0 {
		t.Errorf("%d bytes are in use after all is done, %d by chunks read last, %d to read ahead", b.used, b.cache.size, b.ahead)
	}
	if main := b.limit - MaxPack - b.cache.max - int64(cap(b.frames.slots))*perCoder; !b.main.TryAcquire(main) {
		t.Errorf("%d bytes cannot be had again", main)
	} else if b.main.Release(main); main < minOperation {
		t.Errorf("%d bytes are too few for an operation", main)
	}
}

func TestLimitsTooSmall(t *testing.T) {
	for _, n := range []int64{-1, 1, MinMemory - 1} {
		if _, err := NewBudget(n); err == nil {
			t.Errorf("%d bytes are taken for enough", n)
		}
	}
	for n := int64(MinMemory); n < 1<<30; n += 3 << 20 {
		within(t, budget(t, n))
	}
}

// save stores one file.
func save(ctx context.Context, cfg Config, from io.Reader) error {
	w := NewWriter(ctx, cfg)
	defer w.Abort()
	fw, err := w.Create("a", false)
	if err != nil {
		return err
	}
	if _, err := io.Copy(fw, from); err != nil {
		return err
	}
	if err := fw.Close(); err != nil {
		return err
	}
	_, err = w.Finish()
	return err
}

// slow is a store that takes its time, so that operations meet.
type slow struct{ store.Store }

func (s slow) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	time.Sleep(time.Millisecond)
	return s.Store.Put(ctx, key, body, match)
}

func (s slow) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	time.Sleep(time.Millisecond)
	return s.Store.Get(ctx, key, opts)
}

// All that is done at once stays within one limit, and comes to an end: saves,
// compressed or not, of what others save too; whole loads, streams, places;
// copies; tables.
func TestOperationsShareMemory(t *testing.T) {
	ops := map[int64]int{MinMemory: 14, 160 << 20: 32}
	if testing.Short() {
		delete(ops, 160<<20)
	}
	var objects [4][]named
	text := table(1, 20<<20)
	for i := range objects {
		objects[i] = []named{{"a", noise(uint64(i), 18<<20)}, {"b", text[:400<<10]}}
		if i%2 == 1 {
			objects[i] = []named{{"a", text[i<<10:]}, {"b", noise(uint64(i), 2<<20)}}
		}
	}
	for limit, n := range ops {
		t.Run(fmt.Sprint(limit>>20), func(t *testing.T) {
			st := slow{memstore.New(nil)}
			b := budget(t, limit)
			var ms [4]*manifest.Manifest
			for i := range ms {
				cfg := config(st, nil)
				cfg.Compress = true
				ms[i], _ = write(t, cfg, objects[i])
			}
			var g errgroup.Group
			for i := range n {
				m, files := ms[i%4], objects[i%4]
				r := NewReader(st, m, &ReaderOptions{Budget: b, FileDigests: i%3 == 0})
				cfg := config(st, nil)
				cfg.Compress, cfg.Budget = i%3 > 0, b
				g.Go(func() error {
					switch i % 7 {
					default:
						return save(t.Context(), cfg, bytes.NewReader(files[0].body))
					case 1:
						_, err := Copy(t.Context(), cfg, st, m)
						return err
					case 2, 3:
						return r.Fetch(t.Context(), []int{0, 1}, discard{})
					case 4:
						got, err := io.ReadAll(r.Open(t.Context(), 0))
						if err == nil && !bytes.Equal(got, files[0].body) {
							err = errors.New("a stream of other bytes")
						}
						return err
					case 5:
						p := make([]byte, 100<<10)
						for off := int64(0); off < 18<<20; off += 1 << 20 {
							if n, err := r.ReadAt(t.Context(), 0, p, off); err != nil || !bytes.Equal(p[:n], files[0].body[off:off+int64(n)]) {
								return fmt.Errorf("%d bytes at %d: %w", n, off, err)
							}
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			within(t, b)
		})
	}
}

// Files that are open and not read on keep nobody waiting: neither those who
// read the others, nor those who save what they read.
func TestOpenFilesKeepNobodyWaiting(t *testing.T) {
	st := memstore.New(nil)
	b := budget(t, MinMemory+3*MaxPack)
	files := []named{{"a", noise(1, 17<<20)}}
	m, _ := write(t, config(st, nil), files)
	r := NewReader(st, m, &ReaderOptions{Budget: b})
	var open []io.ReadCloser
	for range 8 {
		rc := r.Open(t.Context(), 0)
		if _, err := io.ReadFull(rc, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		open = append(open, rc)
	}
	var g errgroup.Group
	for i, rc := range open {
		g.Go(func() error {
			defer rc.Close()
			if i%2 == 0 {
				got, err := io.ReadAll(rc)
				if err == nil && !bytes.Equal(got, files[0].body[1:]) {
					err = errors.New("other bytes")
				}
				return err
			}
			cfg := config(memstore.New(nil), nil)
			cfg.Budget = b
			return save(t.Context(), cfg, rc)
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	within(t, b)
}

// Whatever is given up in the middle gives its memory back.
func TestGivingUpGivesMemoryBack(t *testing.T) {
	st := memstore.New(nil)
	b := budget(t, MinMemory)
	text := table(1, 41<<20)
	m, _ := write(t, config(st, nil), []named{{"a", text[1<<20:]}})
	lost := *m
	lost.Placement.Packs = append([]manifest.Pack(nil), m.Placement.Packs...)
	lost.Placement.Packs[len(lost.Placement.Packs)-1].ID[0] ^= 1
	for range 2 {
		for _, compress := range []bool{false, true} {
			cfg := config(st, nil)
			cfg.Compress, cfg.Budget = compress, b
			w := NewWriter(t.Context(), cfg)
			fw, _ := w.Create("a", false)
			if _, err := fw.Write(text[:40<<20]); err != nil {
				t.Fatal(err)
			}
			w.Abort()
			within(t, b)
			if _, err := Copy(t.Context(), cfg, st, &lost); !errors.Is(err, ErrMissing) {
				t.Fatal(err)
			}
			within(t, b)
		}
		rc := NewReader(st, m, &ReaderOptions{Budget: b}).Open(t.Context(), 0)
		io.ReadFull(rc, make([]byte, 20<<20))
		rc.Close()
		if err := NewReader(st, &lost, &ReaderOptions{Budget: b}).Fetch(t.Context(), []int{0}, discard{}); !errors.Is(err, ErrMissing) {
			t.Fatal(err)
		}
		within(t, b)
		held, err := b.acquire(t.Context(), minOperation)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.acquire(ctx, minOperation); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		held.close()
	}
	within(t, b)
}

// forgetful is a store that forgets the packs it is given.
type forgetful struct{ store.Store }

func (s forgetful) Put(ctx context.Context, key string, body []byte, _ store.Token) (store.Info, error) {
	now, err := s.Now(ctx)
	return store.Info{Key: key, Size: int64(len(body)), Token: "t", Now: now}, err
}

// Who saves and loads again and again makes no buffers again.
func TestBuffersAreUsedAgain(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it may have what is not in use
	const size, rounds = 64 << 20, 4
	b := budget(t, 256<<20)
	body := noise(1, size)
	st := memstore.New(nil)
	m, _ := write(t, config(st, nil), []named{{"a", body}})
	for name, once := range map[string]func(){
		"save": func() {
			cfg := config(forgetful{memstore.New(nil)}, nil)
			cfg.Budget = b
			if err := save(t.Context(), cfg, bytes.NewReader(body)); err != nil {
				t.Fatal(err)
			}
		},
		"load": func() {
			if err := NewReader(st, m, &ReaderOptions{Budget: b}).Fetch(t.Context(), []int{0}, discard{}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		once()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		made := b.allocs
		for range rounds {
			once()
		}
		runtime.ReadMemStats(&after)
		made = b.allocs - made // for more at once than before
		if n := (int(after.TotalAlloc-before.TotalAlloc) - made*MaxPack) / rounds; n > size/32 {
			t.Errorf("%s: %d bytes are allocated beside buffers for %d that move", name, n, size)
		}
	}
	if b.allocs > 10 {
		t.Errorf("%d buffers were made; no operation uses more than 10", b.allocs)
	}
}

// discard is a Dest that keeps nothing.
type discard struct{}

func (discard) WriteAt(int, []byte, int64) error { return nil }
func (discard) Done(int) error                   { return nil }
