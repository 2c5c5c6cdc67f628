package filestore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// A directory of any size is listed whole, in order, with names of every
// length, in one reading or in several.
func TestReadDirOfAnySize(t *testing.T) {
	for _, n := range []int{0, 1, 700, 3000} {
		dir := t.TempDir()
		var want []string
		for i := range n {
			name := fmt.Sprintf("%x", i) + strings.Repeat("n", i%90)
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
				t.Fatal(err)
			}
			want = append(want, "d/"+name)
		}
		for _, ignored := range []string{".tmp-1", "UPPER", strings.Repeat("l", 101)} {
			if err := os.WriteFile(filepath.Join(dir, ignored), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(want)
		got, _, err := new(walk).readDir(folderAt(t, dir), "d/")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("of %d names %d are listed (%v)", n, len(got), err)
		}
	}
}

// A directory that was read at one moment and shows a file shows every one
// that was there when that was begun, beside writers who never rest. (Clause 9
// of the contract; attack A28.)
func TestReadingOfOneMomentMissesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "d/first", "1", store.Absent)
	if !ofOneMoment(t, s, "d") {
		t.Skip("nobody promises that here")
	}
	dir := s.path("d")
	const writers, files = 4, 1200
	var made [writers]atomic.Int64 // by each, in order
	var wg sync.WaitGroup
	defer wg.Wait()
	for w := range writers {
		wg.Go(func() {
			for i := range files {
				// Names are spread over the directory, as a hash orders them.
				f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d-%d", w, i)))
				if err != nil {
					t.Error(err)
					return
				}
				f.Close()
				made[w].Store(int64(i + 1))
			}
		})
	}
	for done, readings := false, 0; !done; readings++ {
		var before [writers]int64
		for w := range writers {
			before[w] = made[w].Load()
		}
		keys, moment, err := (&walk{store: s}).read("d/")
		if err != nil {
			t.Fatal(err)
		}
		if !moment {
			continue
		}
		seen := [writers]map[int]bool{}
		done = true
		for w := range writers {
			seen[w] = map[int]bool{}
			done = done && before[w] == files
		}
		for _, key := range keys {
			var w, i int
			if n, _ := fmt.Sscanf(key, "d/%d-%d", &w, &i); n == 2 {
				seen[w][i] = true
			}
		}
		for w := range writers {
			// One writer's files are a run from the first: a gap is a miss.
			if n := len(seen[w]); int64(n) < before[w] || n > 0 && !seen[w][n-1] {
				t.Fatalf("reading %d shows %d files of writer %d, who had made %d before", readings, n, w, before[w])
			}
		}
	}
}

// Who asks for the highest keys is shown those, in order, whatever directories
// they are in, and no other directories are read.
func TestHighest(t *testing.T) {
	s := open(t, t.TempDir())
	var all []string
	if err := os.MkdirAll(s.path("d/n/sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		all = append(all, fmt.Sprintf("d/%03x", i*7919%4096))
	}
	all = append(all, "d/n/one", "d/n/sub/2", "d/x")
	for i := range 200 {
		all = append(all, fmt.Sprintf("d/n/%x/%02x", i/20, i))
	}
	for i := range 10 {
		if err := os.Mkdir(s.path(fmt.Sprintf("d/n/%x", i)), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range all {
		if err := os.WriteFile(s.path(key), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	for _, n := range []int{1, 2, 32, 250, 702, 703, 800} {
		for _, in := range []struct{ prefix, after string }{{"d/", ""}, {"d/", "d/3"}, {"d/f", ""}, {"d/n", ""}, {"", ""}} {
			var want, got []string
			for _, key := range all {
				if strings.HasPrefix(key, in.prefix) && key > in.after {
					want = append(want, key)
				}
			}
			for key, err := range store.Keys(store.Highest(t.Context(), n), s, in.prefix, in.after) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, key)
			}
			if len(got) < min(n, len(want)) || len(got) > n || !slices.IsSorted(got) ||
				!slices.Equal(got[len(got)-min(n, len(want)):], want[len(want)-min(n, len(want)):]) {
				t.Errorf("the %d highest of %+v are %.20q, of %d", n, in, got, len(want))
			}
		}
	}
}

func TestHighestReadsLittle(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 30 {
		if err := os.MkdirAll(s.path(fmt.Sprintf("v/%02d", i)), 0o777); err != nil {
			t.Fatal(err)
		}
		for k := range 20 {
			if err := os.WriteFile(s.path(fmt.Sprintf("v/%02d/%02d", i, k)), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := record(s)
	for range s.Keys(store.Highest(t.Context(), 25), "v/", "") {
	}
	pass := []string{"readdir " + s.path("v"), "readdir " + s.path("v/29"), "readdir " + s.path("v/28")}
	wantOps(t, "Keys", r.take(), append(pass, pass...)...)
}

// Beside writers who never rest, two looks for the highest never agree, and all
// keys are listed instead.
func TestHighestBesideBusyWriters(t *testing.T) {
	s := open(t, t.TempDir())
	s.patience, s.piecemeal = 20*time.Millisecond, true
	for _, key := range []string{"d/0", "d/m", "d/z"} {
		put(t, s, key, "1", store.Absent)
	}
	n := 0
	grow(t, s, "d", func() string { n++; return fmt.Sprintf("y%x", 1<<30-n*n%1000003) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	for key, err := range s.Keys(store.Highest(ctx, 4), "d/", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, key)
	}
	if len(got) < 4 || !slices.IsSorted(got) || got[len(got)-1] != "d/z" {
		t.Errorf("got %q", got)
	}
}
