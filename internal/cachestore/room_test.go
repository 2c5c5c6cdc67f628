package cachestore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t testing.TB, dir string, budget int64) *Cache {
	t.Helper()
	return New(dir, budget, slog.New(slog.DiscardHandler))
}

// taken adds up the sizes of all files below dir, whatever they are.
func taken(t testing.TB, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == tagName {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// rootOf opens the directory of a cache, and makes it if need be.
func rootOf(t testing.TB, c *Cache) *os.Root {
	t.Helper()
	root, err := c.prepare()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func usageOf(t testing.TB, c *Cache) *Usage {
	t.Helper()
	u, err := c.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func verified(t testing.TB, c *Cache) *VerifyReport {
	t.Helper()
	r, err := c.Verify()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func stage(t testing.TB, c *Cache, n int64) (*os.File, error) {
	return c.stage(rootOf(t, c), newTmp(), n)
}

// stageTree returns the path of a tree that is being made.
func stageTree(t testing.TB, c *Cache, size int64) (string, error) {
	name, err := c.stageTree(rootOf(t, c), size)
	return filepath.Join(c.dir, name), err
}

// eachStretch is stretches with paths.
func eachStretch(t testing.TB, c *Cache, key string, do func(path string, offset, size int64) bool) {
	stretches(rootOf(t, c), key, func(name string, offset, size int64) bool { return do(filepath.Join(c.dir, name), offset, size) })
}

func packKey(i int) string { return fmt.Sprintf("packs/0000000000/%02d/%02d", i%100, i%100) }

func age(t testing.TB, path string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// All files together never take more than the budget: not those of two
// processes, not those half written, not what is set aside for the next.
func TestBudgetHoldsAtEveryStep(t *testing.T) {
	const budget = 1 << 20
	dir := t.TempDir()
	caches := []*Cache{open(t, dir, budget), open(t, dir, budget), open(t, dir, budget)}
	var partial []*os.File
	refused := 0
	for i := range 120 {
		c := caches[i%len(caches)]
		c.keepPack(packKey(i), 0, make([]byte, 1000*(1+i%90)))
		if i%7 == 0 { // one that is slow
			f, err := stage(t, c, 90<<10)
			switch {
			case errors.Is(err, errNoRoom):
				refused++
			case err != nil:
				t.Fatal(err)
			default:
				if _, err := f.Write(make([]byte, 45<<10)); err != nil {
					t.Fatal(err)
				}
				partial = append(partial, f)
			}
		}
		if n := taken(t, dir); n > budget {
			t.Fatalf("after step %d there are %d bytes", i, n)
		}
	}
	if refused == 0 || len(partial) < 5 {
		t.Errorf("%d slow writers, and %d refused: the test does not reach the limit", len(partial), refused)
	}
	for _, f := range partial {
		f.Close()
	}
	if u := usageOf(t, caches[0]); u.Packs.Entries == 0 || u.Partial.Entries < len(partial) {
		t.Errorf("%+v", u)
	}
}

// What was used last stays.
func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	c := open(t, t.TempDir(), 256<<10)
	for i := range 6 {
		c.keepPack(packKey(i), 0, make([]byte, 32<<10))
		eachStretch(t, c, packKey(i), func(path string, _, _ int64) bool { age(t, path, time.Duration(100-i)*time.Minute); return true })
	}
	has := func(i int) bool {
		found := false
		eachStretch(t, c, packKey(i), func(string, int64, int64) bool { found = true; return true })
		return found
	}
	if _, ok := c.readPack(packKey(0), 5, 10, nil); !ok {
		t.Fatal("the first is not there")
	}
	for i := 6; i < 9; i++ {
		c.keepPack(packKey(i), 0, make([]byte, 32<<10))
	}
	for i, want := range map[int]bool{0: true, 1: false, 2: false, 5: true, 6: true, 7: true, 8: true} {
		if has(i) != want {
			t.Errorf("entry %d is there: %t", i, !want)
		}
	}
}

// A stretch answers for what is within it, and takes the place of shorter
// ones.
func TestStretches(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	body := make([]byte, 1000)
	for i := range body {
		body[i] = byte(i)
	}
	key := packKey(1)
	c.keepPack(key, 100, body[100:200])
	c.keepPack(key, 300, body[300:900])
	for _, test := range []struct {
		offset, n int64
		want      bool
	}{{100, 100, true}, {150, 50, true}, {99, 2, false}, {150, 51, false}, {150, 200, false}, {300, 600, true}, {899, 1, true}, {0, 1000, false}} {
		got, ok := c.readPack(key, test.offset, test.n, nil)
		if ok != test.want || ok && string(got) != string(body[test.offset:][:test.n]) {
			t.Errorf("%d bytes from %d: %t", test.n, test.offset, ok)
		}
	}
	c.forget(key, 200, 101)
	_, before := c.readPack(key, 100, 100, nil)
	_, after := c.readPack(key, 300, 1, nil)
	if !before || after {
		t.Errorf("after Forget of bytes 200 to 301: before them %t, the last of them %t", before, after)
	}
	c.keepPack(key, 0, body)
	if n := usageOf(t, c).Packs.Entries; n != 1 {
		t.Errorf("the whole pack takes %d entries", n)
	}
	if got, ok := c.readPack(key, 0, 1000, make([]byte, 2000)); !ok || string(got) != string(body) {
		t.Error("the whole pack is not there")
	}
	c.forget(key, 5, 1)
	if _, ok := c.readPack(key, 0, 1, nil); ok {
		t.Error("it is there after Forget")
	}
}

// Room that a process has set aside goes when it releases it, and what killed
// processes have left goes after an hour.
func TestWhatWasAbandonedIsReclaimed(t *testing.T) {
	const budget = 1 << 20
	dir := t.TempDir()
	c := open(t, dir, budget)
	c.keepPack(packKey(1), 0, make([]byte, 1000))
	if n := usageOf(t, c).Partial; n.Entries != 1 || n.Bytes > budget/16 {
		t.Errorf("set aside: %+v", n)
	}
	c.Release()
	if n := usageOf(t, c).Partial; n.Entries != 0 {
		t.Errorf("set aside after Release: %+v", n)
	}
	f, err := stage(t, c, 700<<10)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	tree, err := stageTree(t, c, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	next := open(t, dir, budget)
	if f, err := stage(t, next, 900<<10); !errors.Is(err, errNoRoom) {
		t.Errorf("there was room beside %s: %v", f.Name(), err)
	}
	age(t, f.Name(), 2*maxAge)
	age(t, tree, 2*maxAge)
	f, err = stage(t, next, 900<<10)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	os.Remove(f.Name())
	next.Release()
	if n := usageOf(t, next).Partial; n.Entries != 0 {
		t.Errorf("left: %+v", n)
	}
}

// Room that others have taken for abandoned is not used: it may be theirs now.
func TestRoomIsLostWhenReclaimed(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 1<<20)
	c.keepPack(packKey(1), 0, make([]byte, 1000))
	if c.held == 0 {
		t.Fatal("nothing set aside")
	}
	age(t, filepath.Join(dir, c.hold), 2*maxAge)
	other := open(t, dir, 1<<20)
	f, err := stage(t, other, 1000<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.keepPack(packKey(2), 0, make([]byte, 40000))
	if n := taken(t, dir); n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
}

// Verify finds what a look at names and sizes does not.
func TestVerifyReadsEverything(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	dir, err := treeOf(t, c, 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := treeOf(t, c, 2, 1000); err != nil {
		t.Fatal(err)
	}
	c.keepPack(packKey(1), 0, make([]byte, 1000))
	c.keepPack(packKey(2), 0, make([]byte, 1000))
	if r := verified(t, c); r.Checked.Entries != 4 || r.Dropped.Entries != 0 {
		t.Errorf("of a sound cache, Verify says %+v", r)
	}
	path := filepath.Join(dir, "d", "data")
	os.Chmod(path, 0o600)
	if err := os.WriteFile(path, append(make([]byte, 999), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, stamp, stamp); err != nil {
		t.Fatal(err)
	}
	eachStretch(t, c, packKey(1), func(path string, _, _ int64) bool {
		b, _ := os.ReadFile(path)
		b[10] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return true
	})
	if r := verified(t, c); r.Checked.Entries != 4 || r.Dropped.Entries != 2 {
		t.Errorf("of a damaged cache, Verify says %+v", r)
	}
	if r := verified(t, c); r.Checked.Entries != 2 || r.Dropped.Entries != 0 {
		t.Errorf("afterwards, Verify says %+v", r)
	}
	other, err := treeOf(t, c, 2, 1000)
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(other, 0o700)
	if err := os.WriteFile(filepath.Join(other, "more"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, c); r.Dropped.Entries != 1 {
		t.Errorf("of a tree with a file too many, Verify says %+v", r)
	}
}

// A cache that nothing has used is not made.
func TestNothingIsMadeBeforeUse(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "new"), 1<<20)
	if u := usageOf(t, c); u.Total().Entries != 0 {
		t.Errorf("%+v", u)
	}
	if _, err := os.Lstat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a cache that nobody has used is there: %v", err)
	}
	c.keepPack(packKey(1), 0, nil)
	if b, err := os.ReadFile(filepath.Join(c.dir, "CACHEDIR.TAG")); err != nil || string(b[:43]) != "Signature: 8a477f597d28d172789f06886806bc55" {
		t.Errorf("%q, %v", b, err)
	}
}
