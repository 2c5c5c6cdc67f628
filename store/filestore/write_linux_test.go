package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/store"
)

// offersDirect skips a test where the file system does not know O_DIRECT.
func offersDirect(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, tempPrefix+"try"))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := setDirect(f, true); err != nil {
		t.Skipf("no direct writes here: %v", err)
	}
	if _, err := f.Write(pages(1 << 20)); err != nil {
		t.Skipf("no direct writes here: %v", err)
	}
}

// pages returns n different bytes that begin at a page.
func pages(n int) []byte {
	b := make([]byte, n+directAlign)
	for !aligned(b) {
		b = b[1:]
	}
	b = b[:n]
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// direct counts the bytes that s writes directly and otherwise.
func direct(t *testing.T, s *Store, fail func(direct bool) error) (yes, no *int) {
	yes, no = new(int), new(int)
	s.around = func(e effect, happen func() error) error {
		if e.op != opWrite {
			return happen()
		}
		flags, err := unix.FcntlInt(e.file.Fd(), unix.F_GETFL, 0)
		if err != nil {
			t.Error(err)
		}
		if fail != nil {
			if err := fail(flags&unix.O_DIRECT != 0); err != nil {
				return err
			}
		}
		if flags&unix.O_DIRECT != 0 {
			*yes += len(e.data)
		} else {
			*no += len(e.data)
		}
		return happen()
	}
	return yes, no
}

func TestDirectWrites(t *testing.T) {
	body := pages(9<<20 + 5000)
	for name, c := range map[string]struct {
		body []byte
		slow int32
		yes  int
	}{
		"whole pages":        {body[:8<<20], 0, 8 << 20},
		"several writes":     {body, 0, 9<<20 + 4096},
		"smallest":           {body[:minDirect], 0, minDirect},
		"smallest, and more": {body[:minDirect+1], 0, minDirect},
		"too small":          {body[:minDirect-1], 0, 0},
		"not aligned":        {body[512:], 0, 0},
		"slow disk":          {body, maxSlow, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			offersDirect(t, dir)
			s := open(t, dir)
			s.slow.Store(c.slow)
			yes, no := direct(t, s, nil)
			for _, staged := range []bool{false, true} {
				*yes, *no = 0, 0
				key := fmt.Sprint("k", staged)
				if staged {
					st, _, err := store.Stage(t.Context(), s, key, c.body)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := st.Commit(t.Context(), key); err != nil {
						t.Fatal(err)
					}
					st.Discard()
				} else if _, err := s.Put(t.Context(), key, c.body, store.Absent); err != nil {
					t.Fatal(err)
				}
				if *yes != c.yes || *no != len(c.body)-c.yes {
					t.Errorf("%d bytes were written directly, %d otherwise, of %d", *yes, *no, len(c.body))
				}
				if got, _ := get(t, s, key); !bytes.Equal([]byte(got), c.body) {
					t.Error("there are other bytes")
				}
			}
		})
	}
}

// A body staged directly is read again where it is committed under another
// directory.
func TestDirectStageMoved(t *testing.T) {
	s := open(t, t.TempDir())
	body := pages(2<<20 + 7)
	g := stage(t, s, "a/k", body)
	if _, err := g.Commit(t.Context(), "b/k"); err != nil {
		t.Fatal(err)
	}
	if got, _ := get(t, s, "b/k"); !bytes.Equal([]byte(got), body) {
		t.Error("there are other bytes")
	}
}

// What refuses direct writes only when they come gets the usual ones, from
// there on and later; any other failure is one.
func TestDirectRefused(t *testing.T) {
	body := pages(9 << 20)
	for name, c := range map[string]struct {
		err   error
		after int // direct writes that go well
		fails bool
	}{
		"at once":      {syscall.EINVAL, 0, false},
		"in between":   {syscall.EINVAL, 1, false},
		"disk is full": {syscall.ENOSPC, 1, true},
		"disk failure": {syscall.EIO, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			offersDirect(t, dir)
			s := open(t, dir)
			left := c.after
			yes, _ := direct(t, s, func(direct bool) error {
				if left--; direct && left < 0 {
					return &os.PathError{Op: "write", Path: "k", Err: c.err}
				}
				return nil
			})
			_, err := s.Put(t.Context(), "k", body, store.Absent)
			if c.fails {
				if !errors.Is(err, c.err) {
					t.Errorf("Put: %v, not %v", err, c.err)
				}
				if left := keys(t, s, ""); len(left) > 0 {
					t.Errorf("there is %q", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := get(t, s, "k"); !bytes.Equal([]byte(got), body) {
				t.Error("there are other bytes")
			}
			*yes = 0
			if _, err := s.Put(t.Context(), "k2", body, store.Absent); err != nil || *yes > 0 {
				t.Errorf("then: %v, %d bytes written directly", err, *yes)
			}
		})
	}
}

// Only a disk that is slow several times in a row is a slow one, and then for
// good.
func TestDirectPace(t *testing.T) {
	s := open(t, t.TempDir())
	const n = 16 << 20
	slow, fast := time.Second, 100*time.Millisecond
	for i, c := range []struct {
		took time.Duration
		want int32
	}{{slow, 1}, {slow, 2}, {slow, 3}, {fast, 0}, {slow, 1}, {slow, 2}, {slow, 3}, {slow, 4}, {fast, 4}} {
		s.paced(n, c.took)
		if got := s.slow.Load(); got != c.want {
			t.Errorf("after %d: %d, not %d", i, got, c.want)
		}
	}
}
