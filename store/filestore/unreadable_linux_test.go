package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/mindtrace/registry/store"
)

// asNobody has the calls of a goroutine of its own be those of a user without
// rights.
func asNobody(t *testing.T, do func()) {
	if os.Getuid() != 0 {
		do() // it has none
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it: the thread ends with the goroutine
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
			return
		}
		do()
	}()
	<-done
}

// A directory without permission to read it is told, with what begins its keys,
// and hides nothing else: not before it, not behind it, on whatever page.
func TestUnreadableDirectoryHidesNothingElse(t *testing.T) {
	s := open(t, t.TempDir())
	for _, dir := range []string{s.root, filepath.Dir(s.root)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	all := []string{"a/a/1", "a/b/1", "a/b/2", "a/b-c", "a/bc/1", "a/c/1", "a/d/1", "b/1"}
	for i := range smallPage - 3 { // so that a page ends with a directory that cannot be read
		all = append(all, fmt.Sprintf("a/a/1%02d", i))
	}
	for _, key := range all {
		if err := os.MkdirAll(filepath.Dir(s.path(key)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(key), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if key[:3] != "a/b" || key == "a/b-c" || key == "a/bc/1" {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	want = slices.DeleteFunc(want, func(key string) bool { return key == "a/d/1" })
	for _, dir := range []string{"a/b", "a/d"} {
		if err := os.Chmod(s.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() != 0 {
			os.Chmod(s.path(dir), 0)
		}
		defer os.Chmod(s.path(dir), 0o700)
	}
	asNobody(t, func() {
		for _, after := range []string{"", "a/a/1", "a/b/"} {
			var keys, bad []string
			for info, err := range s.List(store.Expect(t.Context(), 1), "", after) {
				u := (*store.UnreadableError)(nil)
				switch {
				case errors.As(err, &u) && errors.Is(err, fs.ErrPermission):
					bad = append(bad, u.Prefix)
				case err != nil:
					t.Errorf("after %q: %v", after, err)
				default:
					keys = append(keys, info.Key)
				}
			}
			some := slices.DeleteFunc(slices.Clone(want), func(key string) bool { return key <= after })
			if !slices.Equal(keys, some) || !slices.Equal(bad, []string{"a/b/", "a/d/"}) {
				t.Errorf("after %q there are %q, unreadable %q; want %q", after, keys, bad, some)
			}
		}
		for _, err := range s.Keys(store.Highest(store.Expect(t.Context(), 1), 9), "a/", "") {
			if u := (*store.UnreadableError)(nil); err != nil && (!errors.As(err, &u) || u.Prefix != "a/d/") {
				t.Errorf("looking for the highest keys: %v", err)
			}
		}
		n := 0
		for _, err := range s.List(t.Context(), "a/b/", "") {
			if n++; !errors.Is(err, fs.ErrPermission) {
				t.Errorf("the directory itself: %v", err)
			}
		}
		if n != 1 {
			t.Errorf("%d errors", n)
		}
	})
}
