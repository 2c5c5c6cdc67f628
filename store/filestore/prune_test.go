package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/store"
)

// beside does work beside somebody who removes empty directories, as a tidy
// administrator does, but without a pause: of dirs, and up to root. It repeats
// the work until it has really been disturbed.
func beside(t *testing.T, root string, dirs []string, work func(round int)) {
	t.Helper()
	const enough = 20
	var removed atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			dir := filepath.Join(root, filepath.FromSlash(dirs[i%len(dirs)]))
			for dir != root && os.Remove(dir) == nil {
				removed.Add(1)
				dir = filepath.Dir(dir)
			}
		}
	}()
	for round := 0; round == 0 || removed.Load() < enough && round < 100 && !t.Failed(); round++ {
		work(round)
	}
	close(stop)
	<-done
	t.Logf("%d directories were removed meanwhile", removed.Load())
	if removed.Load() < enough {
		t.Error("that is too few to have tested anything")
	}
}

// Attack A49: somebody removes empty directories beside writers who create
// keys in them. No put fails, and none is lost.
func TestPutBesidePruning(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	dirs := []string{"a/b/c", "a/b/d", "a/e", "f/g/h/i"}
	beside(t, dir, append(dirs, lockDir), func(round int) {
		var wg sync.WaitGroup
		for w, d := range append(dirs, dirs...) {
			s := []*Store{one, two}[w%2]
			wg.Go(func() {
				for i := range 30 {
					key := fmt.Sprintf("%s/k%d-%d-%d", d, round, w, i)
					info, err := s.Put(t.Context(), key, []byte("1"), store.Absent)
					if err != nil {
						t.Errorf("create: %v", err)
						return
					}
					if i%10 == 0 {
						if _, err := s.Put(t.Context(), key, []byte("2"), info.Token); err != nil {
							t.Errorf("replace: %v", err)
							return
						}
					}
					if _, err := s.Stat(t.Context(), key); err != nil {
						t.Errorf("a put that was acknowledged: %v", err)
					}
					// Which makes the directory empty again, mostly.
					if err := s.Delete(t.Context(), key); err != nil {
						t.Errorf("delete: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
	if left := append(keys(t, one, ""), leftovers(t, one)...); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// The worst moments, one by one: whatever is empty is removed, up to the root.
func TestPrunedAtTheWorstMoment(t *testing.T) {
	s := made(t, filepath.Join(t.TempDir(), "store"))
	for times := range 3 { // in a row
		for _, op := range []string{"mkdir", "syncdir", "write", "sync", "link"} {
			n := 0
			s.trace = func(o, path string) {
				if o != op {
					return
				}
				for dir := path; dir != s.root && strings.HasPrefix(dir, s.root); dir = filepath.Dir(dir) {
					os.Remove(dir)
				}
				if n++; n > times {
					s.trace = nil
				}
			}
			key := fmt.Sprintf("a/b/%s%d", op, times)
			put(t, s, key, "1", store.Absent)
			s.trace = nil
			get(t, s, key)
			if err := s.Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
	}
}

// A Put into a directory that cannot come to be fails, and soon.
func TestPutGivesUp(t *testing.T) {
	s := open(t, t.TempDir())
	if err := os.Symlink(filepath.Join(s.root, "nothing"), s.path("a")); err != nil {
		t.Skip(err)
	}
	for _, key := range []string{"a/k", "a/b/k", "a/b/c/k"} {
		_, err := s.Put(t.Context(), key, nil, store.Absent)
		if err == nil || errors.Is(err, store.ErrUnknown) {
			t.Errorf("Put of %s below a link to nowhere: %v", key, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pruned := 0
	s.trace = func(op, path string) { // pruned for ever, until cancelled
		if op == "mkdir" {
			os.Remove(path)
			if pruned++; pruned == 50 {
				cancel()
			}
		}
	}
	if _, err := s.Put(ctx, "c/k", nil, store.Absent); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

// Listing beside pruning: directories vanish while they are walked.
func TestListBesidePruning(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var dirs []string
	for i := range 20 {
		dirs = append(dirs, fmt.Sprintf("a/%02d/x", i))
	}
	put(t, s, "a/05/kept", "1", store.Absent)
	put(t, s, "a/15/x/kept", "1", store.Absent)
	put(t, s, "z", "1", store.Absent)
	beside(t, dir, dirs, func(int) {
		for range 200 {
			for _, d := range dirs {
				if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			}
			if got := strings.Join(keys(t, s, ""), " "); got != "a/05/kept a/15/x/kept z" {
				t.Fatalf("List shows %s", got)
			}
		}
	})
}
