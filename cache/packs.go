package cache

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// packDir is where stretches of a pack are. Equal packs of different eras and
// registries have the same name and the same bytes.
func (c *Cache) packDir(key string) string {
	id := path.Base(key)
	return filepath.Join(c.dir, packsDir, id[:min(2, len(id))], id)
}

// stretches calls do for every cached stretch of a pack until it returns true.
func (c *Cache) stretches(key string, do func(path string, offset, size int64) bool) {
	dir := c.packDir(key)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		var offset, size int64
		if _, err := fmt.Sscanf(e.Name(), "%d-%d", &offset, &size); err == nil && do(filepath.Join(dir, e.Name()), offset, size) {
			return
		}
	}
}

// readPack returns n bytes of a pack, in buf if that is large enough. They are
// not verified: who asked knows their digests.
func (c *Cache) readPack(key string, offset, n int64, buf []byte) (body []byte, ok bool) {
	c.stretches(key, func(path string, start, size int64) bool {
		if offset < start || offset+n > start+size {
			return false
		}
		f, err := os.Open(path)
		if err != nil {
			return false
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.Size() != size+sumSize {
			os.Remove(path)
			return false
		}
		if int64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		body = buf[:n]
		if _, err := f.ReadAt(body, offset-start); err != nil {
			return false
		}
		touch(path)
		ok = true
		return true
	})
	return body, ok
}

// forget drops the stretches that hold some of n bytes of a pack. The others
// stay: perhaps they were just fetched anew.
func (c *Cache) forget(key string, offset, n int64) {
	c.stretches(key, func(path string, start, size int64) bool {
		if start < offset+n && offset < start+size {
			os.Remove(path)
		}
		return false
	})
}

// keepPack keeps bytes of a pack, in place of shorter stretches among them.
func (c *Cache) keepPack(key string, offset int64, body []byte) {
	n := int64(len(body))
	path := filepath.Join(c.packDir(key), fmt.Sprintf("%d-%d", offset, n))
	c.insert(path, body)
	if _, err := os.Lstat(path); err != nil {
		return
	}
	c.stretches(key, func(other string, start, size int64) bool {
		if other != path && start >= offset && start+size <= offset+n {
			os.Remove(other)
		}
		return false
	})
}
