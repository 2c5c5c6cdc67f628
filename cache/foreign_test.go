//go:build unix

package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/cachestore"
)

const nobody = 65534

func init() {
	// What this user may not read is not taken for empty.
	children["unreadable"] = asNobody(func(regDir, cacheDir string) error {
		c, err := useCache(regDir, cacheDir)
		if err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(cacheDir, "tmp")); err != nil {
			return err
		}
		for _, dir := range []string{"packs", "trees", "seen", "."} {
			at := filepath.Join(cacheDir, dir)
			for _, mode := range []fs.FileMode{0, 0o700} {
				if err := os.Chmod(at, mode); err != nil {
					return err
				}
				u, err1 := c.Usage()
				_, err2 := c.Verify()
				_, err3 := c.Prune(1 << 40)
				for _, err := range []error{err1, err2, err3} {
					if errors.Is(err, fs.ErrPermission) != (mode == 0) {
						return fmt.Errorf("%s with mode %s: %v", dir, mode, err)
					}
				}
				if mode != 0 && (u.Packs.Entries == 0 || u.Trees.Entries == 0 || u.Registers.Entries == 0) {
					return fmt.Errorf("%s can be read again: %+v", dir, u)
				}
			}
		}
		return nil
	})
	// Whoever owns a cache can remove it, checked-out trees and all.
	children["remove"] = asNobody(func(regDir, cacheDir string) error {
		if _, err := useCache(regDir, cacheDir); err != nil {
			return err
		}
		entries, err := os.ReadDir(cacheDir)
		for _, e := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(cacheDir, e.Name())))
		}
		return err
	})
}

// asNobody has a child of root become an ordinary user.
func asNobody(do func(regDir, cacheDir string) error) func(regDir, cacheDir string) error {
	return func(regDir, cacheDir string) error {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		return do(regDir, cacheDir)
	}
}

// useCache loads one object and checks out another.
func useCache(regDir, cacheDir string) (*cache.Cache, error) {
	c, err := cache.Open(&cache.Options{Dir: cacheDir})
	if err != nil {
		return nil, err
	}
	defer cachestore.Of(c).Release()
	r, err := far(regDir, c, nil)
	if err != nil {
		return nil, err
	}
	if b, err := registry.Load[[]byte](ctx, r, "object0"); err != nil || !bytes.Equal(b, body(0)) {
		return nil, fmt.Errorf("loaded %d bytes, %w", len(b), err)
	}
	rep, err := r.Checkout(ctx, "object1", nil)
	if err != nil {
		return c, fmt.Errorf("checkout: %w", err)
	}
	dir := rep.Dir
	if b, err := os.ReadFile(filepath.Join(dir, "data")); err != nil || !bytes.Equal(b, body(1)) {
		return nil, fmt.Errorf("checked out %d bytes, %w", len(b), err)
	}
	return c, nil
}

func TestOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	for _, job := range []string{"unreadable", "remove"} {
		t.Run(job, func(t *testing.T) {
			regDir, cacheDir := filled(t), t.TempDir()
			if err := errors.Join(os.Chown(cacheDir, nobody, nobody), os.Chmod(filepath.Dir(regDir), 0o755), makeReadable(regDir)); err != nil {
				t.Fatal(err)
			}
			out, err := child(job, regDir, cacheDir).CombinedOutput()
			if strings.HasPrefix(string(out), "skip: ") {
				t.Skip(string(out))
			}
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// makeReadable lets everybody write to the registry in dir, which reading does
// for its clock.
func makeReadable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o777)
	})
}

// What another user owns, or everybody may write to, is no cache: nothing in it
// is read, added or removed. It is said once, and loads go on without it.
func TestForeignDirectory(t *testing.T) {
	regDir := filled(t)
	in := func(dir, name string) string { return filepath.Join(dir, name) }
	own := func(path string) error {
		if os.Getuid() != 0 {
			return errors.New("skip")
		}
		return os.Lchown(path, nobody, nobody)
	}
	for what, test := range map[string]struct {
		make func(dir string) error // changes a cache that was used
		fine bool
	}{
		"as it was":             {func(dir string) error { return nil }, true},
		"of another user":       {own, false},
		"writable by all":       {func(dir string) error { return os.Chmod(dir, 0o777) }, false},
		"writable by the group": {func(dir string) error { return os.Chmod(dir, 0o775) }, true},
		"sticky, as /tmp":       {func(dir string) error { return os.Chmod(dir, 0o777|fs.ModeSticky) }, true},
		"packs of another user": {func(dir string) error { return errors.Join(os.Chmod(dir, 0o777|fs.ModeSticky), own(in(dir, "packs"))) }, false},
		"trees writable by all": {func(dir string) error { return os.Chmod(in(dir, "trees"), 0o777|fs.ModeSticky) }, false},
		"seen is a pipe": {func(dir string) error {
			return errors.Join(os.RemoveAll(in(dir, "seen")), unix.Mkfifo(in(dir, "seen"), 0o600))
		}, false},
		"packs is a link": {func(dir string) error {
			return errors.Join(os.Rename(in(dir, "packs"), dir+"-packs"), os.Symlink(dir+"-packs", in(dir, "packs")))
		}, false},
		"tmp is a link inside": {func(dir string) error {
			return errors.Join(os.RemoveAll(in(dir, "tmp")), os.Symlink("packs", in(dir, "tmp")))
		}, false},
		"a link": {func(dir string) error { return errors.Join(os.Rename(dir, dir+"-real"), os.Symlink(dir+"-real", dir)) }, true},
		"a link of another user": {func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-real"), os.Symlink(dir+"-real", dir), own(dir))
		}, false},
		"a file": {func(dir string) error { return errors.Join(os.Rename(dir, dir+"-real"), os.WriteFile(dir, nil, 0o600)) }, false},
		"a pipe": {func(dir string) error { return errors.Join(os.Rename(dir, dir+"-real"), unix.Mkfifo(dir, 0o600)) }, false},
	} {
		t.Run(what, func(t *testing.T) {
			base := t.TempDir()
			dir := filepath.Join(base, "cache")
			c, err := useCache(regDir, dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.make(dir); err != nil {
				if strings.Contains(err.Error(), "skip") {
					t.Skip("only root can give files away")
				}
				t.Fatal(err)
			}
			before := listing(t, base)
			u, err1 := c.Usage()
			_, err2 := c.Verify()
			_, err3 := c.Prune(1 << 40)
			for what, err := range map[string]error{"Check": c.Check(), "Usage": err1, "Verify": err2, "Prune": err3} {
				if (err == nil) != test.fine {
					t.Errorf("%s: %v", what, err)
				}
			}
			if test.fine && u.Packs.Entries == 0 {
				t.Errorf("%+v", u)
			}
			if _, err := useCache(regDir, dir); (err == nil) != test.fine || err != nil && !strings.Contains(err.Error(), "checkout: ") {
				t.Errorf("used: %v", err)
			}
			warnings := 1
			if test.fine {
				warnings = 0
			} else if _, err := c.Prune(0); err == nil {
				t.Error("all of it was removed")
			}
			if err := loads(regDir, dir, warnings); err != nil {
				t.Error(err)
			}
			if after := listing(t, base); !test.fine && after != before {
				t.Errorf("it was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// listing describes everything below dir.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// In the place of every file and directory in a cache there is a link, a pipe, or
// something else: nothing waits, nothing outside is touched, what is loaded and
// checked out is right.
func TestOddThingsInEveryPosition(t *testing.T) {
	regDir := filled(t)
	first := t.TempDir()
	if _, err := useCache(regDir, first); err != nil {
		t.Fatal(err)
	}
	var positions []string
	if err := filepath.WalkDir(first, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(first, path); err == nil && rel != "." {
			positions = append(positions, rel)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(positions) < 15 {
		t.Fatalf("positions: %q", positions)
	}
	for what, put := range map[string]func(at, outside string) error{
		"link to a directory": func(at, outside string) error { return os.Symlink(outside, at) },
		"link to a file":      func(at, outside string) error { return os.Symlink(filepath.Join(outside, "f"), at) },
		"link inside":         func(at, _ string) error { return os.Symlink("..", at) },
		"link to a pipe":      func(at, outside string) error { return os.Symlink(filepath.Join(outside, "pipe"), at) },
		"pipe":                func(at, _ string) error { return unix.Mkfifo(at, 0o600) },
		"directory":           func(at, _ string) error { return os.MkdirAll(filepath.Join(at, "x"), 0o700) },
		"file":                func(at, _ string) error { return os.WriteFile(at, []byte("odd"), 0o600) },
	} {
		if testing.Short() && what != "link to a directory" && what != "pipe" {
			continue
		}
		t.Run(what, func(t *testing.T) {
			for _, pos := range positions {
				base := t.TempDir()
				dir, outside := filepath.Join(base, "cache"), filepath.Join(base, "outside")
				if err := errors.Join(os.Mkdir(outside, 0o700), os.WriteFile(filepath.Join(outside, "f"), []byte("mine"), 0o600),
					unix.Mkfifo(filepath.Join(outside, "pipe"), 0o600)); err != nil {
					t.Fatal(err)
				}
				old := time.Now().Add(-time.Hour) // what is used is touched
				if err := errors.Join(os.Chtimes(filepath.Join(outside, "f"), old, old), os.Chtimes(outside, old, old)); err != nil {
					t.Fatal(err)
				}
				if _, err := useCache(regDir, dir); err != nil {
					t.Fatal(err)
				}
				at := filepath.Join(dir, pos)
				if err := errors.Join(os.RemoveAll(at), put(at, outside)); err != nil {
					t.Fatal(err)
				}
				before := listing(t, outside)
				if c, err := useCache(regDir, dir); err != nil && (c == nil || strings.Count(pos, "/") > 1 && !strings.HasPrefix(pos, "seen")) {
					t.Errorf("%s: %v", pos, err) // a directory that cannot be made prevents a checkout
				}
				c, err := cache.Open(&cache.Options{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				c.Usage()
				c.Verify()
				c.Prune(0)
				if after := listing(t, outside); after != before {
					t.Errorf("%s: outside was\n%s\nand is\n%s", pos, before, after)
				}
			}
		})
	}
}

// What is in the directory and not the cache's own is neither counted nor
// removed.
func TestPruneLeavesWhatIsNotTheCaches(t *testing.T) {
	regDir, dir := filled(t), t.TempDir()
	c, err := useCache(regDir, dir)
	if err != nil {
		t.Fatal(err)
	}
	var theirs []string
	for _, p := range []string{"notes", "packs/notes", "packs/ab/notes", "packs/ab/cd/notes", "trees/notes", "trees/mine/notes",
		"seen/notes", "seen/mine/notes", "tmp/notes", "tmp/mine/notes"} {
		at := filepath.Join(dir, p)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-48 * time.Hour)
		if err := errors.Join(os.Chtimes(at, old, old), os.Chtimes(filepath.Dir(at), old, old)); err != nil {
			t.Fatal(err)
		}
		theirs = append(theirs, at)
	}
	u, err := c.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Prune(0); err != nil || n != u.Total {
		t.Errorf("of %+v were removed %+v, %v", u.Total, n, err)
	}
	for _, at := range theirs {
		if _, err := os.Lstat(at); err != nil {
			t.Error(err)
		}
	}
}
