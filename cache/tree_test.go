package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mindtrace/registry/manifest"
)

func treeOf(t testing.TB, c *Cache, i int, size int64) (string, error) {
	t.Helper()
	body := make([]byte, size)
	files := []manifest.File{{Path: "d/data", Size: size, SHA256: manifest.Sum(body)}}
	return c.Tree(context.Background(), manifest.Sum([]byte{byte(i)}), files, func(dir string) error {
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
	if u := c.Usage(); u.Trees.Entries != 2 || u.Total.Bytes > c.budget {
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
	c.Prune(1)
	if u := c.Usage(); u.Trees.Entries != 2 || u.Packs.Entries != 0 {
		t.Errorf("after Prune there are %+v", u)
	}
	if n := c.Prune(0); n.Entries != 2 || c.Usage().Total != (Amount{}) {
		t.Errorf("Prune of all removed %+v and left %+v", n, c.Usage())
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
		{"failed", func(_ *Cache, tmp string) { removeTree(tmp) }, time.Hour, nil, true},
		{"made the same", func(other *Cache, tmp string) {
			removeTree(tmp)
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
			tmp, err := other.stageTree(size)
			if err != nil {
				t.Fatal(err)
			}
			looks := 0
			got, err := c.awaitTree(t.Context(), size, func() bool {
				if looks++; looks == 2 {
					test.then(other, tmp)
				}
				return c.Usage().Trees.Entries > 0
			})
			if !errors.Is(err, test.want) || (got != "") != test.staged {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
