package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
	"github.com/mindtrace/registry/store/storetest"
)

// losses are what can happen to a directory that is a registry's.
var losses = map[string]func(dir string) (back func() error, err error){
	"removed": func(dir string) (func() error, error) { return nil, os.RemoveAll(dir) },
	"renamed": func(dir string) (func() error, error) {
		return func() error { return os.Rename(dir+"-old", dir) }, os.Rename(dir, dir+"-old")
	},
	"moved with what is above it": func(dir string) (func() error, error) {
		up := filepath.Dir(dir)
		return func() error { return os.Rename(up+"-old", up) }, os.Rename(up, up+"-old")
	},
	"replaced by an empty directory": func(dir string) (func() error, error) {
		return replaced(dir, func() error { return os.Mkdir(dir, 0o777) })
	},
	"replaced by another registry": func(dir string) (func() error, error) {
		return replaced(dir, func() error {
			if err := os.Mkdir(dir, 0o777); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "registry.json"), []byte("other"), 0o666)
		})
	},
	"replaced by a link to another": func(dir string) (func() error, error) {
		return replaced(dir, func() error {
			if err := os.Mkdir(dir+"-other", 0o777); err != nil {
				return err
			}
			return os.Symlink(dir+"-other", dir)
		})
	},
	"replaced by a copy": func(dir string) (func() error, error) {
		return replaced(dir, func() error { return os.CopyFS(dir, os.DirFS(dir+"-old")) })
	},
	"replaced by a file": func(dir string) (func() error, error) {
		return replaced(dir, func() error { return os.WriteFile(dir, nil, 0o666) })
	},
}

func replaced(dir string, by func() error) (func() error, error) {
	back := func() error { return errors.Join(os.RemoveAll(dir), os.Rename(dir+"-old", dir)) }
	return back, errors.Join(os.Rename(dir, dir+"-old"), by())
}

// seen describes all that is below a directory.
func seen(dir string) (string, error) {
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err == nil {
			fmt.Fprintln(&all, path, fi.Size(), fi.ModTime())
		}
		return err
	})
	return all.String(), err
}

func TestRootLost(t *testing.T) {
	for name, lose := range losses {
		var dir string
		place := storecheck.Place{
			Open: func() (store.Store, error) {
				dir = filepath.Join(t.TempDir(), "above", "registry")
				s, err := New(dir)
				if err != nil {
					return nil, err
				}
				return s, s.MakeRoot(t.Context())
			},
			Ways: []storecheck.Way{{Name: name, Lose: func() (func() (string, error), func() error, error) {
				back, err := lose(dir)
				return func() (string, error) { return seen(dir) }, back, err
			}}},
		}
		storetest.Root(t, place)
	}
}

// The root is lost before and after each effect of each change. Then nothing is
// acknowledged that is not at its path, what failed for certain is nowhere, and
// nothing is written at the path.
func TestRootLostAtEachStep(t *testing.T) {
	large := make([]byte, minStaged)
	calls := map[string]func(s *Store, match store.Token) (key string, err error){
		"create": func(s *Store, _ store.Token) (string, error) {
			_, err := s.Put(t.Context(), "a/b/new", []byte("2"), store.Absent)
			return "a/b/new", err
		},
		"replacement": func(s *Store, match store.Token) (string, error) {
			_, err := s.Put(t.Context(), "a/k", []byte("2"), match)
			return "a/k", err
		},
		"stage": func(s *Store, _ store.Token) (string, error) {
			g, err := s.Stage(t.Context(), "p/new", large)
			if err != nil {
				return "p/new", err
			}
			defer g.Discard()
			_, err = g.Commit(t.Context(), "p/new")
			return "p/new", err
		},
		"delete": func(s *Store, _ store.Token) (string, error) { return "a/k", s.Delete(t.Context(), "a/k") },
	}
	for how, lose := range losses {
		for what, call := range calls {
			for step, after := 0, false; ; step, after = step+1, !after {
				dir := filepath.Join(t.TempDir(), "above", "registry")
				s := made(t, dir)
				info := put(t, s, "a/k", "1", store.Absent)
				n, lost := -1, ""
				var there string
				var mu sync.Mutex // some effects happen side by side
				s.around = func(e effect, happen func() error) error {
					mu.Lock()
					n++
					if n != step/2 || lost != "" {
						mu.Unlock()
						return happen()
					}
					defer mu.Unlock()
					var err error
					if after {
						err = happen()
					}
					lost = string(e.op)
					if _, lerr := lose(dir); lerr != nil {
						t.Fatal(lerr)
					}
					there, _ = seen(dir)
					if !after {
						err = happen()
					}
					return err
				}
				key, err := call(s, info.Token)
				if lost == "" {
					if err != nil || step < 4 {
						t.Errorf("%s, undisturbed after %d effects: %v", what, n, err)
					}
					break // there are no more steps
				}
				s.around = nil
				when := fmt.Sprintf("%s, root %s at step %d, %s (after it: %v)", what, how, step/2, lost, after)
				if !errors.Is(err, store.ErrNoRoot) {
					t.Errorf("%s: %v, want ErrNoRoot", when, err)
				}
				if got, _ := seen(dir); got != there {
					t.Errorf("%s: at its path there was %q and is %q", when, there, got)
				}
				if old := oldPlace(dir); old != "" && !errors.Is(err, store.ErrUnknown) {
					changed := what != "delete" && what != "replacement"
					_, err := os.Lstat(filepath.Join(old, filepath.FromSlash(key)))
					if there := err == nil; there == changed {
						t.Errorf("%s: it failed for certain, and was done", when)
					}
				}
			}
		}
	}
}

// oldPlace is where a lost root is now.
func oldPlace(dir string) string {
	for _, old := range []string{dir + "-old", filepath.Join(filepath.Dir(dir)+"-old", filepath.Base(dir))} {
		if _, err := os.Lstat(old); err == nil {
			return old
		}
	}
	return ""
}

// A store without a root is empty, and nothing but MakeRoot makes one.
func TestRootIsNeverMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x", "y")
	s := open(t, dir)
	if _, _, err := s.Get(t.Context(), "k", nil); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Get: %v", err)
	}
	if got := keys(t, s, ""); len(got) > 0 {
		t.Errorf("List shows %q", got)
	}
	if name, err := s.Foreign(t.Context()); name != "" || err != nil {
		t.Errorf("Foreign: %q, %v", name, err)
	}
	if _, err := s.Clean(t.Context(), nil, time.Now(), false); err != nil {
		t.Error(err)
	}
	for _, match := range []store.Token{store.Absent, "token"} {
		if _, err := s.Put(t.Context(), "a/k", nil, match); !errors.Is(err, store.ErrNoRoot) {
			t.Errorf("Put with token %q: %v, want ErrNoRoot", match, err)
		}
	}
	if _, err := s.Stage(t.Context(), "a/k", make([]byte, minStaged)); !errors.Is(err, store.ErrNoRoot) {
		t.Errorf("Stage: %v", err)
	}
	if _, err := os.Lstat(filepath.Dir(dir)); err == nil {
		t.Error("a directory was made")
	}
	if err := s.MakeRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/k", "1", store.Absent)
	if err := open(t, dir).MakeRoot(t.Context()); err != nil {
		t.Errorf("MakeRoot of what is there: %v", err)
	}
	if _, err := New(filepath.Join(dir, "a", "k")); err == nil {
		t.Error("a file was opened as a store")
	}
}
