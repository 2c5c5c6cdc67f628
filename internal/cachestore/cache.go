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

// Cache is a directory that is shared with other processes. Many goroutines and
// registries may use it at once. It need not be closed.
type Cache struct {
	dir    string
	budget int64
	log    *slog.Logger
	warned sync.Once

	mu   sync.Mutex
	hold string      // name of a file in tmp: room that is set aside for this process
	held int64       // size of that file, in bytes
	idle *time.Timer // calls Release
}

// Of returns the Cache of a *cache.Cache, and nil for a nil one. Package cache sets
// it.
var Of func(handle any) *Cache

// New returns the cache in a directory, with a budget in bytes. log gets a warning
// if the cache cannot be used. New does not read or make anything.
func New(dir string, budget int64, log *slog.Logger) *Cache {
	return &Cache{dir: dir, budget: budget, log: log}
}

// newTmp returns a new name in tmp.
func newTmp() string { return path.Join(tmpDir, strings.ToLower(rand.Text()[:16])) }

// warn logs, once, that the cache cannot be used.
func (c *Cache) warn(err error) {
	c.warned.Do(func() { c.log.Warn("the cache cannot be used; reading goes on without it", "dir", c.dir, "error", err) })
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumSize is the size of the checksum at the end of a cached file, in bytes. It is
// the CRC-32C of the contents, and shows damage where no digest is known.
const sumSize = 4

// insert makes the file name with the given contents, one after the other. If that
// fails, it logs a warning, unless only the room is missing.
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
	defer root.Remove(tmp) // does nothing after the rename
	for _, b := range contents {
		if _, err := f.Write(b); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	for range 2 { // another process may remove the directory while it is empty
		if err = root.MkdirAll(path.Dir(name), 0o700); err == nil {
			err = root.Rename(tmp, name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// readSound returns the contents of a cached file. If they are damaged, it removes
// the file and returns false.
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

// touch marks an entry as used now.
func touch(root *os.Root, name string) {
	now := time.Now()
	root.Chtimes(name, now, now) // if this fails, the entry is dropped earlier
}
