package filestore

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

// entries returns all that is in a directory, and below it.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Prune removes what is empty below a prefix, and above it, and nothing else.
func TestPrune(t *testing.T) {
	directories := func(t *testing.T) *Store {
		s := made(t, t.TempDir())
		for _, dir := range []string{"a/b/c/d", "a/b/e", "a/x", "f/g"} {
			if err := os.MkdirAll(s.path(dir), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	for prefix, want := range map[string][]string{
		"none/at/all/": {"a", "a/b", "a/b/c", "a/b/c/d", "a/b/e", "a/x", "f", "f/g"},
		"a/b/":         {"a", "a/x", "f", "f/g"},
		"f/":           {"a", "a/b", "a/b/c", "a/b/c/d", "a/b/e", "a/x"},
	} {
		t.Run(prefix, func(t *testing.T) {
			s := directories(t)
			if err := s.Prune(t.Context(), prefix); err != nil {
				t.Fatal(err)
			}
			if got := entries(t, s.root); !slices.Equal(got, want) {
				t.Errorf("left is %q, want %q", got, want)
			}
		})
	}
	s := directories(t)
	if _, err := s.Put(t.Context(), "a/b/c/key", nil, store.Absent); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(t.Context(), "a/"); err != nil {
		t.Fatal(err)
	}
	if got, want := entries(t, s.root), []string{"a", "a/b", "a/b/c", "a/b/c/key", "f", "f/g"}; !slices.Equal(got, want) {
		t.Errorf("left is %q, want %q", got, want)
	}
}

// A probe leaves nothing behind.
func TestProbeLeavesNothing(t *testing.T) {
	s := made(t, t.TempDir())
	env := &storecheck.Env{Conns: []store.Store{s, s, s, s}, Prefix: "probe/1/"}
	if err := storecheck.Probe(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	for _, name := range entries(t, s.root) {
		if filepath.Dir(name) != lockDir && name != lockDir {
			t.Errorf("left is %s", name)
		}
	}
}
