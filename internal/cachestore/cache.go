// Package cachestore is the cache of package cache: a directory, and the store
// that reads through it.
//
//	packs/<hh>/<id>/<offset>-<length>   bytes of a pack, of any registry
//	trees/<digest>.<bytes>/files/       a version's directory; files are read-only
//	seen/<registry>/<key>               a register as it was last read
//	tmp/                                what is being made, and room set aside
//
// Packs and trees are named by their content, never change, and are used
// instead of the registry's. Registers change: a version is deleted, a tag
// moves. Those here are never used while the registry can be asked, but only
// by [Cache.Offline], whose answers may be old.
//
// Everything is written to tmp and renamed into place. No flush is waited for:
// what a loss of power damages is found by its digest or its sum, and read
// again.
//
//	store.go      Wrap, Offline: stores on the cache; Use, Look: the requests that use it
//	packs.go      stretches of packs
//	tree.go       Tree: checked-out versions; treecheck.go: whether one was changed
//	room.go       the budget, which all processes keep together
//	dir.go        the directory, and whether it can be trusted
//	admin.go      Usage, Prune, Verify
package cachestore

import (
	"crypto/rand"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/beneath"
)

// Cache is a directory that is shared with other processes. It may be used by
// many goroutines and registries at once, and holds nothing that must be closed.
type Cache struct {
	dir    string
	budget int64
	log    *slog.Logger
	warned sync.Once

	mu   sync.Mutex
	hold string // name of a file in tmp whose size is room set aside for this process
	held int64  // that size
	idle *time.Timer
}

// Of returns the Cache behind a *cache.Cache, or nil for a nil one. Package
// cache sets it: what the registry does with a cache is not part of its API.
var Of func(handle any) *Cache

// New returns the cache of a directory, which may hold so many bytes. log gets
// a warning if it cannot be used. It reads and makes nothing yet.
func New(dir string, budget int64, log *slog.Logger) *Cache {
	return &Cache{dir: dir, budget: budget, log: log}
}

// newTmp returns a new name for what is being made.
func newTmp() string { return path.Join(tmpDir, strings.ToLower(rand.Text()[:16])) }

// warn tells once that the cache is of no use.
func (c *Cache) warn(err error) {
	c.warned.Do(func() { c.log.Warn("the cache cannot be used; reading goes on without it", "dir", c.dir, "error", err) })
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumSize is how many bytes follow the contents of a cached file: their
// CRC-32C. It shows damage where no digest is at hand.
const sumSize = 4

// insert makes the file name with the given contents, unless there is no room
// for it.
func (c *Cache) insert(name string, contents ...[]byte) {
	switch err := c.tryInsert(name, contents); {
	case err == nil, errors.Is(err, errNoRoom):
	default:
		c.warn(err)
	}
}

func (c *Cache) tryInsert(name string, contents [][]byte) error {
	n, sum := int64(sumSize), uint32(0)
	for _, b := range contents {
		n += int64(len(b))
		sum = crc32.Update(sum, castagnoli, b)
	}
	if cost(n) > c.budget {
		return errNoRoom
	}
	root, err := c.prepare()
	if err != nil {
		return err
	}
	defer root.Close()
	contents = append(contents, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return c.fitting(root, cost(n), func() error { return c.putFile(root, name, n, contents) })
}

func (c *Cache) putFile(root *os.Root, name string, n int64, contents [][]byte) error {
	tmp := newTmp()
	f, err := c.stage(root, tmp, n)
	if err != nil {
		return err
	}
	defer root.Remove(tmp) // nothing, once it was renamed
	for _, b := range contents {
		if _, err := f.Write(b); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	for range 2 { // an empty directory may be removed beside this
		if err = root.MkdirAll(path.Dir(name), 0o700); err == nil {
			err = root.Rename(tmp, name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// readSound returns the contents of a cached file, if they are whole, and
// otherwise removes it.
func readSound(root *os.Root, name string) ([]byte, bool) {
	f, is, err := openFile(root, name)
	if err != nil {
		if errors.Is(err, beneath.ErrReplaced) {
			root.Remove(name)
		}
		return nil, false
	}
	defer f.Close()
	if n := is.Size() - sumSize; n >= 0 && is.Size() <= maxFile {
		b := make([]byte, is.Size())
		if _, err := io.ReadFull(f, b); err != nil {
			return nil, false
		}
		sum := crc32.Checksum(b[:n], castagnoli)
		if string(b[n:]) == string([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) {
			return b[:n], true
		}
	}
	root.Remove(name)
	return nil, false
}

// touch marks an entry as just used.
func touch(root *os.Root, name string) {
	now := time.Now()
	root.Chtimes(name, now, now) // if not, it is thrown out earlier
}
