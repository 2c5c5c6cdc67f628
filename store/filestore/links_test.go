//go:build linux || darwin

package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// Below the root no call follows a link, wherever it leads: to a file, to
// a directory, to itself, to nowhere. The error names it, and nothing behind it
// is read or changed.
func TestNoLinkIsFollowed(t *testing.T) {
	elsewhere := t.TempDir()
	target := filepath.Join(elsewhere, "file")
	below := filepath.Join(elsewhere, "dir", "k")
	for _, path := range []string{target, below, filepath.Join(elsewhere, "dir", tempPrefix+"old")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("theirs"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, elsewhere)
	for name, to := range map[string]string{
		"file": target, "directory": filepath.Dir(below), "nowhere": "nothing", "itself": "link", "the root": ".",
	} {
		for _, walk := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				stepwise(t, walk)
				s := open(t, t.TempDir())
				info := put(t, s, "a/k", "1", store.Absent)
				link := s.path("a/link")
				if err := os.Symlink(to, link); err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{"a/link", "a/link/k", "a/link/x/y"} {
					for call, err := range everyCall(t, s, key, info.Token) {
						if !errors.Is(err, store.ErrForeign) || errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrUnknown) ||
							!strings.Contains(err.Error(), link) {
							t.Errorf("%s of %s: %v, want an error that names %s", call, key, err, link)
						}
					}
				}
				for prefix, concerned := range map[string]bool{
					"": true, "a/": true, "a/l": true, "a/link": true, "a/link/": true, "a/link/x": true, "a/k": false, "b/": false, "a/m": false,
				} {
					if err := listError(t, s, prefix); errors.Is(err, store.ErrForeign) != concerned {
						t.Errorf("List of %q: %v", prefix, err)
					}
				}
				if _, err := s.Clean(t.Context(), []string{"a/"}, time.Now().Add(time.Hour), false); err != nil {
					t.Error(err)
				}
				if fi, err := os.Lstat(link); err != nil || fi.Mode()&os.ModeSymlink == 0 {
					t.Errorf("the link is gone (%v)", err)
				}
				if after := tree(t, elsewhere); !slices.Equal(after, before) {
					t.Errorf("behind the link there are %q", after)
				}
				if body, _ := get(t, s, "a/k"); body != "1" {
					t.Errorf("the key beside it is %q", body)
				}
			})
		}
	}
}

// stepwise has openBelow go from directory to directory, as where the kernel
// does not know openat2.
func stepwise(t *testing.T, on bool) {
	old := openAt
	t.Cleanup(func() { openAt = old })
	if on {
		openAt = walkBelow
	}
}

func everyCall(t *testing.T, s *Store, key string, match store.Token) map[string]error {
	t.Helper()
	_, _, get := s.Get(t.Context(), key, nil)
	_, stat := s.Stat(t.Context(), key)
	_, create := s.Put(t.Context(), key, []byte("2"), store.Absent)
	_, replace := s.Put(t.Context(), key, []byte("2"), match)
	g, _, stage := store.Stage(t.Context(), s, key, make([]byte, minStaged))
	if stage == nil {
		_, stage = g.Commit(t.Context(), key)
		g.Discard()
	}
	return map[string]error{"Get": get, "Stat": stat, "create": create, "replacement": replace, "Delete": s.Delete(t.Context(), key), "Stage": stage}
}

func listError(t *testing.T, s *Store, prefix string) error {
	t.Helper()
	for _, err := range s.List(t.Context(), prefix, "") {
		if err != nil {
			return err
		}
	}
	return nil
}

// The root itself may be a link.
func TestRootIsALink(t *testing.T) {
	real, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, link)
	info := put(t, s, "a/k", "1", store.Absent)
	put(t, s, "a/k", "2", info.Token)
	if got := keys(t, open(t, real), ""); !slices.Equal(got, []string{"a/k"}) {
		t.Errorf("there is %q", got)
	}
	for name, want := range map[string]string{"Foreign": "Stray", "nothing": ""} {
		if want != "" {
			if err := os.WriteFile(filepath.Join(real, want), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Remove(filepath.Join(real, "Stray")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if got, err := s.Foreign(t.Context()); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Locks that are links, named pipes or directories are neither followed nor
// waited for. Creating needs no lock, and goes on.
func TestLocksThatAreNone(t *testing.T) {
	elsewhere := t.TempDir()
	file := filepath.Join(elsewhere, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	link := func(to string) func(string) error { return func(path string) error { return os.Symlink(to, path) } }
	for what, plant := range map[string]func(path string) error{
		"a link to a file": link(file), "a link to a directory": link(elsewhere), "a link to nowhere": link("nothing"), "a loop": link(lockDir),
		"a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"a socket":    func(path string) error { return mksocket(path) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o777) },
		"a file":      func(path string) error { return os.WriteFile(path, nil, 0o666) },
	} {
		for _, at := range []string{lockDir, lockKey("k")} {
			s := open(t, t.TempDir())
			info := put(t, s, "k", "1", store.Absent)
			if parent(at) != "" {
				if err := os.Mkdir(s.path(lockDir), 0o777); err != nil {
					t.Fatal(err)
				}
			}
			if err := plant(s.path(at)); err != nil {
				t.Fatal(err)
			}
			_, replace := s.Put(t.Context(), "k", []byte("2"), info.Token)
			remove := s.Delete(t.Context(), "k")
			good := what == "a directory" && at == lockDir || what == "a file" && at != lockDir
			for call, err := range map[string]error{"replacement": replace, "Delete": remove} {
				switch {
				case good && err != nil:
					t.Errorf("%s with %s at %s: %v", call, what, at, err)
				case !good && (!errors.Is(err, store.ErrForeign) || errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), s.path(at))):
					t.Errorf("%s with %s at %s: %v, want an error that names it", call, what, at, err)
				}
			}
			put(t, s, "new", "1", store.Absent)
		}
	}
	if names := tree(t, elsewhere); !slices.Equal(names, []string{"file"}) {
		t.Errorf("behind the links there are %q", names)
	}
}

func mksocket(path string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	defer os.Chdir(dir)
	if err := os.Chdir(filepath.Dir(path)); err != nil { // paths of sockets are short
		return err
	}
	return syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(path)})
}

// A pipe or socket in the place of any key is no key, and never waited for.
func TestPipesAreNoKeys(t *testing.T) {
	for what, plant := range map[string]func(path string) error{
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o666) }, "socket": mksocket,
	} {
		s := open(t, t.TempDir())
		info := put(t, s, "a/k", "1", store.Absent)
		if err := plant(s.path("a/x")); err != nil {
			t.Fatal(err)
		}
		for call, err := range everyCall(t, s, "a/x", info.Token) {
			want := map[string]error{"Get": store.ErrNotExist, "Stat": store.ErrNotExist, "Delete": nil}[call]
			if want == nil && call != "Delete" {
				want = store.ErrForeign
			}
			if !errors.Is(err, want) {
				t.Errorf("%s of a %s: %v, want %v", call, what, err, want)
			}
		}
		if got := keys(t, s, ""); !slices.Equal(got, []string{"a/k"}) {
			t.Errorf("beside a %s there are %q", what, got)
		}
		if _, err := s.Clean(t.Context(), []string{"a/"}, time.Now().Add(time.Hour), false); err != nil {
			t.Error(err)
		}
	}
}

// Inspect names the links, with what to do about them, and enters none.
func TestInspectNamesLinks(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/k", "1", store.Absent)
	if facts, err := s.Inspect(t.Context()); err != nil || len(facts) > 0 {
		t.Errorf("without links: %v, %v", facts, err)
	}
	want := []string{s.path("a/loop"), s.path("a/nowhere"), s.path(".link")}
	for i, to := range []string{"..", "nothing", t.TempDir()} {
		if err := os.Symlink(to, want[i]); err != nil {
			t.Fatal(err)
		}
	}
	facts, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range facts {
		got = append(got, f.Value)
		if f.Name != "link" || f.Warning == "" {
			t.Errorf("%+v", f)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("it names %q, want %q", got, want)
	}
	for i := range 2 * maxTold {
		if err := os.Symlink("..", s.path("a/l"+strings.Repeat("l", i))); err != nil {
			t.Fatal(err)
		}
	}
	if facts, err = s.Inspect(t.Context()); err != nil || len(facts) != maxTold+1 {
		t.Errorf("of many links %d are told (%v)", len(facts), err)
	}
}

// Where a page ends with a link, because another process changes what is behind
// it all the time, the next page has the keys that begin like the link.
func TestPageEndsWithALink(t *testing.T) {
	s := open(t, t.TempDir())
	s.patience, s.piecemeal = 0, true
	want := []string{"a/b", "a/m-1", "a/m.x", "a/mm", "a/z"}
	for _, key := range want {
		put(t, s, key, "1", store.Absent)
	}
	if err := os.Symlink("nowhere", s.path("a/m")); err != nil {
		t.Fatal(err)
	}
	readings := 0
	s.trace = func(op, path string) {
		if op != "readdir" || path != s.path("a") {
			return
		}
		if readings++; readings == 1 { // and the second differs from it behind the link
			if err := os.WriteFile(s.path("a/m-0"), nil, 0o666); err != nil {
				t.Error(err)
			}
			return
		}
		os.Remove(s.path("a/m-0"))
	}
	var got []string
	for key, err := range s.Keys(t.Context(), "", "") {
		if err == nil {
			got = append(got, key)
		} else if !errors.Is(err, store.ErrForeign) {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}
