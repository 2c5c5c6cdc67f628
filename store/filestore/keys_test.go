package filestore

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// Keys shows what List shows, also through the store's wrappers, and looks at
// no file.
func TestKeysAreThoseOfList(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []string{"a/1", "a/2", "a-b", "a/b/3", "c"} {
		put(t, s, key, "1", store.Absent)
	}
	if err := os.Mkdir(s.path("empty"), 0o777); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, prefix := range []string{"", "a", "a/", "a/b", "c", "none/", "../"} {
		for _, after := range []string{"", "a/1", "b"} {
			var want []string
			for info, err := range s.List(t.Context(), prefix, after) {
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, info.Key)
			}
			for _, st := range []store.Store{s, wrapstore.ObserveClock(wrapstore.Log(s, log), new(wrapstore.Clock))} {
				if _, ok := st.(store.KeyLister); !ok {
					t.Fatalf("%T lists no keys", st)
				}
				var got []string
				for key, err := range store.Keys(t.Context(), st, prefix, after) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, key)
				}
				if !slices.Equal(got, want) {
					t.Errorf("keys with %q after %q: %q, List shows %q", prefix, after, got, want)
				}
			}
		}
	}
}

// What a save of one more version of a small object costs: one reading of one
// directory however many versions there are, two where nobody promises that it
// is of one moment, one file and one directory flushed.
func TestCostOfOneMoreKey(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 100 {
		put(t, s, "v/"+strings.Repeat("k", i+1), "1", store.Absent)
	}
	for readings := 1; readings <= 2; readings++ {
		if s.piecemeal = readings == 2; readings == 1 && !ofOneMoment(t, s, "v") {
			continue
		}
		r := record(s)
		n := 0
		for range s.Keys(t.Context(), "v/", "") {
			n++
		}
		key := fmt.Sprint("v/new", readings)
		put(t, s, key, "1", store.Absent)
		wantOps(t, "Keys and Put", r.take(), append(slices.Repeat([]string{"readdir " + s.path("v")}, readings),
			"write "+s.path("v"), "sync "+s.path("v"), "link "+s.path(key), "syncdir "+s.path("v"))...)
		if n != 99+readings {
			t.Errorf("%d keys", n)
		}
	}
}

// ofOneMoment reports whether a directory of s is read at one moment.
func ofOneMoment(t *testing.T, s *Store, dir string) bool {
	t.Helper()
	_, moment, err := (&walk{store: s}).readDir(folderAt(t, s.path(dir)), "")
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

// What a staged pack costs: its bytes are flushed once, each new directory and
// its parent once.
func TestCostOfStaging(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "p/first", "1", store.Absent)
	r := record(s)
	for _, key := range []string{"p/00/a", "p/01/b", "p/00/c"} {
		g := stage(t, s, key, make([]byte, minStaged))
		if _, err := g.Commit(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	count := map[string]int{}
	for _, op := range r.take() {
		what, _, _ := strings.Cut(op, " ")
		count[what]++
	}
	for op, want := range map[string]int{"write": 3, "sync": 3, "link": 3, "mkdir": 2, "syncdir": 5} {
		if count[op] != want {
			t.Errorf("%d times %s, want %d", count[op], op, want)
		}
	}
}
