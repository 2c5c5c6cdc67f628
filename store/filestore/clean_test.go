package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// tree returns all paths below a directory.
func tree(t *testing.T, root string) (all []string) {
	t.Helper()
	if err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(root, p); rel != "." {
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// What killed writers leave is removed once it is old; keys, locks and the
// files of others never are.
func TestClean(t *testing.T) {
	root, elsewhere := t.TempDir(), t.TempDir()
	s, err := New(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a/b/one", "a/two", "x/y/z/three"} {
		if _, err := s.Put(t.Context(), key, []byte(key), store.Absent); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "x/y/z/three"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".tmp-1", "a/.tmp-2", "a/b/.tmp-3", "a/.notes", "a/Upper"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("12345"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(elsewhere, ".tmp-4"), []byte("12345"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(root, "disk2")); err != nil {
		t.Skip(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "e", ".theirs"), 0o777); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(root, "theirs", "empty") // no registry has that
	if err := os.MkdirAll(theirs, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "theirs", ".tmp-5"), []byte("12345"), 0o666); err != nil {
		t.Fatal(err)
	}
	before := tree(t, root)
	now, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Clean(t.Context(), []string{"a/", "disk2/", "e/", "x/"}, now.Add(-time.Hour), false); err != nil || got != (store.Cleaned{}) {
		t.Errorf("young leftovers: %+v, %v", got, err)
	}
	want := store.Cleaned{Files: 3, Bytes: 15, Dirs: 3}
	if got, err := s.Clean(t.Context(), []string{"a/", "disk2/", "e/", "x/"}, now.Add(time.Hour), true); err != nil || got != want {
		t.Errorf("dry run: %+v, %v", got, err)
	}
	if after := tree(t, root); !slices.Equal(after, before) {
		t.Errorf("it should not have removed anything: %v", after)
	}
	if got, err := s.Clean(t.Context(), []string{"a/", "disk2/", "e/", "x/"}, now.Add(time.Hour), false); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	left := slices.DeleteFunc(tree(t, root), func(p string) bool { return filepath.Dir(p) == ".locks" })
	if want := []string{".locks", "a", "a/.notes", "a/Upper", "a/b", "a/b/one", "a/two", "disk2", "e", "e/.theirs", "theirs", "theirs/.tmp-5", "theirs/empty"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	if names := tree(t, elsewhere); len(names) != 1 {
		t.Errorf("behind a link: %v", names)
	}
}

// A writer that Clean wrongly takes for dead loses its temporary file, and
// with it at most its put: what it acknowledged is there, whole.
func TestCleanBesideWriters(t *testing.T) {
	s, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Clean(t.Context(), []string{"d0/", "d1/", "d2/", "d3/", "d4/"}, time.Now().Add(time.Hour), false); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range 200 {
		key := fmt.Sprintf("d%d/e/f%d", i%5, i)
		_, perr := s.Put(t.Context(), key, []byte(key), store.Absent)
		body, _, err := s.Get(t.Context(), key, nil)
		switch {
		case perr == nil && string(body) != key:
			t.Errorf("put, but then got %q, %v", body, err)
		case perr != nil && err == nil && string(body) != key:
			t.Errorf("part of a body: %q after %v", body, perr)
		}
		if perr == nil && i%2 == 0 {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	<-done
}
