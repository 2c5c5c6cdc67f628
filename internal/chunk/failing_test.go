package chunk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/memstore"
)

func TestMistakes(t *testing.T) {
	w := NewWriter(t.Context(), config(memstore.New(nil), nil))
	defer w.Abort()
	for _, path := range []string{"", "/a", "../a", "a/../b", "a//b", ".", "a\x00", "a\xff"} {
		if _, err := w.Create(path, false); err == nil {
			t.Errorf("path %q accepted", path)
		}
	}
	fw, err := w.Create("a", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create("b", false); err == nil {
		t.Error("two files open at once")
	}
	if _, err := w.Finish(); err == nil {
		t.Error("finished with an open file")
	}
	_ = fw

	w = NewWriter(t.Context(), config(memstore.New(nil), nil))
	for range 2 {
		fw, err := w.Create("a", false)
		if err != nil {
			t.Fatal(err)
		}
		if err := fw.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := fw.Write([]byte("x")); err == nil {
			t.Error("write after close")
		}
	}
	if _, err := w.Finish(); err == nil {
		t.Error("one path twice")
	}
	if _, err := w.Finish(); err == nil {
		t.Error("finished twice")
	}
}

// A failing store ends a save with the store's error, at once, wherever the
// writer is.
func TestStoreFails(t *testing.T) {
	boom := errors.New("boom")
	for n := range 8 {
		fst := faultstore.New(memstore.New(nil), func(c faultstore.Call) faultstore.Fault {
			if c.N >= n {
				return faultstore.Fault{Before: boom}
			}
			return faultstore.Fault{}
		})
		w := NewWriter(t.Context(), config(fst, nil))
		fw, err := w.Create("a", false)
		if err != nil {
			t.Fatal(err)
		}
		_, werr := io.Copy(fw, io.LimitReader(endless{}, 1<<30))
		if werr == nil {
			werr = fw.Close()
		}
		_, ferr := w.Finish()
		if !errors.Is(werr, boom) || !errors.Is(ferr, boom) {
			t.Errorf("fault from call %d on: write says %v, finish %v", n, werr, ferr)
		}
	}
}

// endless yields bytes that never repeat.
type endless struct{}

var pcg = rand.NewPCG(1, 2)

func TestCancelledSave(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := NewWriter(ctx, config(memstore.New(nil), nil))
	fw, err := w.Create("a", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(fw, endless{}, 40<<20); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.CopyN(fw, endless{}, 400<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("write after cancellation: %v", err)
	}
	if _, err := w.Finish(); !errors.Is(err, context.Canceled) {
		t.Errorf("finish after cancellation: %v", err)
	}
	w.Abort() // once more is fine
}

// Bytes that are damaged on the way are fetched once more.
func TestDamageOnTheWayIsRetried(t *testing.T) {
	mem := memstore.New(nil)
	m, _ := write(t, config(mem, nil), []named{{"a", noise(1, 30<<20)}})
	gets := 0
	fst := faultstore.New(mem, func(c faultstore.Call) faultstore.Fault {
		if c.Op == "get" {
			if gets++; gets%2 == 1 {
				return faultstore.Fault{Body: func(b []byte) []byte {
					if gets%4 == 1 {
						return b[:len(b)-1]
					}
					b = bytes.Clone(b)
					b[100] ^= 1
					return b
				}}
			}
		}
		return faultstore.Fault{}
	})
	r := NewReader(fst, m, &ReaderOptions{Gets: 1})
	rc := r.Open(t.Context(), 0)
	defer rc.Close()
	if got, err := io.ReadAll(rc); err != nil || !bytes.Equal(got, noise(1, 30<<20)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A reader that is left in the middle leaves nothing running, and nothing
// locked.
func TestReadersMayBeLeft(t *testing.T) {
	st := memstore.New(nil)
	m, _ := write(t, config(st, nil), []named{{"a", noise(1, 100<<20)}})
	r := NewReader(st, m, nil)
	rounds := 20
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		rc := r.Open(t.Context(), 0)
		if _, err := io.CopyN(io.Discard, rc, rand.Int64N(50<<20)); err != nil {
			t.Fatal(err)
		}
		rc.Close()
		if _, err := rc.Read(make([]byte, 1)); err == nil {
			t.Error("read after close")
		}
	}
}
