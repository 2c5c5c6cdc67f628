package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// grow makes s find another new file whenever it reads the directory dir, as
// beside writers who never rest.
func grow(t *testing.T, s *Store, dir string, name func() string) {
	s.trace = func(op, path string) {
		if op == "readdir" && path == s.path(dir) {
			if err := os.WriteFile(filepath.Join(path, name()), nil, 0o666); err != nil {
				t.Error(err)
			}
		}
	}
}

// Two readings of a directory never agree. List comes to an end, in order, and
// shows everything that was there before.
func TestListBesideBusyWriters(t *testing.T) {
	s := open(t, t.TempDir())
	s.patience, s.piecemeal = 50*time.Millisecond, true
	var old []string
	if err := os.Mkdir(s.path("d"), 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		key := fmt.Sprintf("d/%04x", i*131)
		old = append(old, key)
		if err := os.WriteFile(s.path(key), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	grow(t, s, "d", func() string { return fmt.Sprintf("%04x-%x", rng.IntN(1<<16), rng.Uint64()) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	for info, err := range s.List(ctx, "d/", "") {
		if err != nil {
			t.Fatalf("after %d keys: %v", len(got), err)
		}
		got = append(got, info.Key)
	}
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Error("List is not in order")
	}
	for _, key := range old {
		if _, ok := slices.BinarySearch(got, key); !ok {
			t.Errorf("List does not show %s, which was there before", key)
		}
	}
}

// While it has patience, List waits for two readings that agree: what is new
// in the second may have been there before something in the first.
func TestListReadsUntilReadingsAgree(t *testing.T) {
	s := open(t, t.TempDir())
	s.piecemeal = true
	put(t, s, "d/m", "1", store.Absent)
	n := 0
	s.trace = func(op, path string) {
		if op != "readdir" || path != s.path("d") {
			return
		}
		n++
		if name := map[int]string{2: "z", 3: "a"}[n]; name != "" {
			if err := os.WriteFile(filepath.Join(path, name), nil, 0o666); err != nil {
				t.Error(err)
			}
		}
	}
	if got, want := keys(t, s, "d/"), []string{"d/a", "d/m", "d/z"}; !slices.Equal(got, want) || n != 4 {
		t.Errorf("List shows %q after %d readings, want %q after 4", got, n, want)
	}
}

// Many directories, so that there are several pages.
func TestListPages(t *testing.T) {
	s := open(t, t.TempDir())
	var want []string
	for d := range 300 {
		dir := fmt.Sprintf("a/%03d", d)
		if err := os.MkdirAll(s.path(dir), 0o777); err != nil {
			t.Fatal(err)
		}
		for k := range 20 {
			key := fmt.Sprintf("%s/%02d", dir, k)
			want = append(want, key)
			if err := os.WriteFile(s.path(key), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := keys(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("List shows %d keys, want %d, in order", len(got), len(want))
	}
	if got := keys(t, s, "a/29"); !slices.Equal(got, want[5800:]) {
		t.Errorf("List of a/29 shows %d keys, want 200", len(got))
	}
}

// A page that ends for want of patience ends where two readings agree no more:
// the second of them may have missed what was there all the time.
func TestBusyListingShowsWhatReadingsAgreeOn(t *testing.T) {
	s := open(t, t.TempDir())
	s.patience, s.piecemeal = -1, true
	want := []string{"a/1", "b/1", "b/2"}
	for _, key := range want {
		put(t, s, key, "", store.Absent)
	}
	n := 0
	s.trace = func(op, path string) {
		if op != "readdir" || path != s.path("b") {
			return
		}
		there, away := s.path("b/1"), s.path("b/.1")
		var err error
		switch n++; n { // a reading of a directory that others change may miss a name
		case 2:
			err = os.Rename(there, away)
		case 3:
			err = os.Rename(away, there)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if got := keys(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("List shows %q, want %q", got, want)
	}
}
