package cachestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/manifest"
)

// filesOfTree is what treeOf makes.
func filesOfTree(size int64) []manifest.File {
	return []manifest.File{{Path: "d/data", Size: size, SHA256: manifest.Sum(make([]byte, size))}}
}

func treeOf(t testing.TB, c *Cache, i int, size int64) (string, error) {
	t.Helper()
	body := make([]byte, size)
	return c.Tree(context.Background(), manifest.Sum([]byte{byte(i)}), filesOfTree(size), func(dir string) error {
		if err := os.Mkdir(filepath.Join(dir, "d"), 0o777); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "d", "data"), body, 0o666)
	})
}

// A tree stays for an hour, whatever else needs room, and then goes like all
// else. One that has no room says so.
func TestTreesInUseStay(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	first, err := treeOf(t, c, 1, 400<<10)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		c.keepPack(packKey(i), 0, make([]byte, 50<<10))
	}
	if _, err := treeOf(t, c, 2, 400<<10); err != nil {
		t.Fatal(err)
	}
	if u := usageOf(t, c); u.Trees.Entries != 2 || u.Total().Bytes > c.budget {
		t.Errorf("%+v", u)
	}
	for _, size := range []int64{400 << 10, 2 << 20} {
		if _, err := treeOf(t, c, 3, size); !errors.Is(err, errNoRoom) {
			t.Errorf("a third tree of %d bytes: %v", size, err)
		}
	}
	if _, err := os.Stat(filepath.Join(first, "d", "data")); err != nil {
		t.Error(err)
	}
	age(t, filepath.Dir(first), 2*inUse)
	if _, err := treeOf(t, c, 3, 400<<10); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the first tree: %v", err)
	}
	if _, err := c.Prune(1); err != nil {
		t.Error(err)
	}
	if u := usageOf(t, c); u.Trees.Entries != 2 || u.Packs.Entries != 0 {
		t.Errorf("after Prune there are %+v", u)
	}
	if n, err := c.Prune(0); err != nil || n.Entries != 2 || usageOf(t, c).Total() != (Amount{}) {
		t.Errorf("Prune of all removed %+v (%v) and left %+v", n, err, usageOf(t, c))
	}
}

// Whoever changes a tree and sets the times back is found out by the change
// time: what is the same bytes all the same stays, all else is made anew.
func TestTreeChangedBehindItsTimes(t *testing.T) {
	const size = 1000
	for what, test := range map[string]struct {
		change func(data string) error
		stays  bool
	}{
		"written to": {func(data string) error {
			return errors.Join(os.Chmod(data, 0o600), os.WriteFile(data, append(make([]byte, size-1), 1), 0o600), os.Chtimes(data, stamp, stamp), os.Chmod(data, 0o444))
		}, false},
		"replaced": {func(data string) error {
			return errors.Join(os.Remove(data), os.WriteFile(data, append(make([]byte, size-1), 1), 0o444), os.Chtimes(data, stamp, stamp), os.Chtimes(filepath.Dir(data), stamp, stamp))
		}, false},
		"joined": {func(data string) error {
			return errors.Join(os.WriteFile(data+".more", nil, 0o444), os.Chtimes(filepath.Dir(data), stamp, stamp))
		}, false},
		"another mode": {func(data string) error { return os.Chmod(data, 0o400) }, true},
		"linked":       {func(data string) error { return os.Link(data, filepath.Join(data, "..", "..", "..", "more")) }, true},
	} {
		t.Run(what, func(t *testing.T) {
			c := open(t, t.TempDir(), 1<<20)
			dir, err := treeOf(t, c, 1, size)
			if err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(dir, "d", "data")
			before, err := os.Stat(data)
			if err != nil {
				t.Fatal(err)
			}
			finished, ok := beneath.ChangeTime(before)
			if !ok {
				t.Skip("no change time here")
			}
			ticks := filepath.Join(t.TempDir(), "ticks")
			for at := finished; !at.After(finished.Add(10 * time.Millisecond)); { // until the file system's clock has moved on
				if err := os.WriteFile(ticks, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(ticks)
				if err != nil {
					t.Fatal(err)
				}
				at, _ = beneath.ChangeTime(info)
			}
			if err := test.change(data); err != nil {
				t.Fatal(err)
			}
			if again, err := treeOf(t, c, 1, size); err != nil || again != dir {
				t.Fatalf("%s, %v", again, err)
			}
			after, err := os.Stat(data)
			if err != nil {
				t.Fatal(err)
			}
			if os.SameFile(before, after) != test.stays {
				t.Errorf("it is the same file: %t", !test.stays)
			}
			if b, err := os.ReadFile(data); err != nil || string(b) != string(make([]byte, size)) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if entries, err := os.ReadDir(filepath.Dir(data)); err != nil || len(entries) != 1 {
				t.Errorf("%v, %v", entries, err)
			}
			if test.stays { // it is not read each time from then on
				root := rootOf(t, c)
				name, _ := filepath.Rel(c.dir, filepath.Dir(dir))
				tree, err := openTree(root, filepath.ToSlash(name))
				if err != nil {
					t.Fatal(err)
				}
				defer tree.Close()
				if suspect, err := checkTree(tree, filesOfTree(size)); suspect || err != nil {
					t.Errorf("suspect: %t, %v", suspect, err)
				}
			}
		})
	}
}

// A tree that a version before has made, with directories that are read-only,
// is used and removed like any other.
func TestTreeOfReadOnlyDirectories(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	dir, err := treeOf(t, c, 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{filepath.Join(dir, "d"), dir} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s has mode %v, %v", p, info.Mode(), err)
		}
		if err := os.Chmod(p, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := treeOf(t, c, 1, 10); err != nil || again != dir {
		t.Errorf("%s, %v", again, err)
	}
	c.Release()
	if err := os.Remove(filepath.Join(c.dir, tmpDir)); err != nil { // which needs not be there
		t.Fatal(err)
	}
	if n, err := c.Prune(0); err != nil || n.Entries != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	if entries, err := os.ReadDir(filepath.Join(c.dir, treesDir)); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// A tree that has no room only as long as others are at work waits for them:
// until they have failed, or have made the very same, or are long dead.
func TestTreeWaitsForOthers(t *testing.T) {
	const size = 600 << 10
	for _, test := range []struct {
		name     string
		then     func(other *Cache, tmp string) // what the other does while it is waited for
		patience time.Duration
		want     error
		staged   bool
	}{
		{"failed", func(_ *Cache, tmp string) { os.RemoveAll(tmp) }, time.Hour, nil, true},
		{"made the same", func(other *Cache, tmp string) {
			os.RemoveAll(tmp)
			if _, err := treeOf(t, other, 1, size); err != nil {
				t.Error(err)
			}
		}, time.Hour, nil, false},
		{"dead", func(*Cache, string) {}, 0, errNoRoom, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func(was time.Duration) { patience = was }(patience)
			patience = test.patience
			dir := t.TempDir()
			other, c := open(t, dir, 1<<20), open(t, dir, 1<<20)
			tmp, err := stageTree(t, other, size)
			if err != nil {
				t.Fatal(err)
			}
			looks := 0
			got, err := c.awaitTree(t.Context(), rootOf(t, c), size, func() bool {
				if looks++; looks == 2 {
					test.then(other, tmp)
				}
				return usageOf(t, c).Trees.Entries > 0
			})
			if !errors.Is(err, test.want) || (got != "") != test.staged {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A tree that was checked out after it was listed is in use again, and is not
// thrown out.
func TestTreeCheckedOutAfterItWasListed(t *testing.T) {
	for _, again := range []bool{false, true} {
		c := open(t, t.TempDir(), 1<<20)
		dir, err := treeOf(t, c, 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		age(t, filepath.Dir(dir), 2*inUse)
		root := rootOf(t, c)
		all, total, err := c.entries(root)
		if err != nil {
			t.Fatal(err)
		}
		if again {
			if _, err := treeOf(t, c, 1, 10); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.evict(root, all, total, 0, true); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); (err == nil) != again {
			t.Errorf("checked out again: %t; then %v", again, err)
		}
	}
}

// Who uses a tree cannot write to its files.
func TestFilesOfTreesAreReadOnly(t *testing.T) {
	dir, err := treeOf(t, open(t, t.TempDir(), 1<<20), 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "d", "data"))
	if err != nil || info.Mode().Perm()&0o222 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
