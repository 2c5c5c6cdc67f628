package cachestore

import (
	"fmt"
	"os"
	"path"

	"github.com/mindtrace/registry/internal/beneath"
)

// A stretch is some consecutive bytes of a pack, in a file of their own.

// packDir returns the directory of the stretches of a pack. Packs with the same id
// have the same bytes, whatever their era and registry.
func packDir(key string) string {
	id := path.Base(key)
	return path.Join(packsDir, id[:min(2, len(id))], id)
}

// stretches calls do for every cached stretch of a pack until it returns true.
func stretches(root *os.Root, key string, do func(name string, offset, size int64) bool) {
	dir := packDir(key)
	entries, err := beneath.ReadDirIn(root, dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		var offset, size int64
		if _, err := fmt.Sscanf(e.Name(), "%d-%d", &offset, &size); err == nil && do(path.Join(dir, e.Name()), offset, size) {
			return
		}
	}
}

// readPack returns n bytes of a pack, in buf if that is large enough. It does not
// verify them: the caller knows their digests.
func (c *Cache) readPack(key string, offset, n int64, buf []byte) (body []byte, ok bool) {
	root := c.look()
	if root == nil {
		return nil, false
	}
	defer root.Close()
	stretches(root, key, func(name string, start, size int64) bool {
		if offset < start || offset+n > start+size {
			return false
		}
		f, info, err := openFile(root, name)
		if err != nil {
			root.Remove(name)
			return false
		}
		defer f.Close()
		if info.Size() != size+sumSize {
			root.Remove(name)
			return false
		}
		if int64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		body = buf[:n]
		if _, err := f.ReadAt(body, offset-start); err != nil {
			return false
		}
		touch(root, name)
		ok = true
		return true
	})
	return body, ok
}

// forget drops the stretches that have any of n bytes of a pack. Others may have
// just been fetched again: they stay.
func (c *Cache) forget(key string, offset, n int64) {
	root := c.look()
	if root == nil {
		return
	}
	defer root.Close()
	stretches(root, key, func(name string, start, size int64) bool {
		if start < offset+n && offset < start+size {
			root.Remove(name)
		}
		return false
	})
}

// keepPack keeps bytes of a pack. It drops the stretches that these bytes cover.
func (c *Cache) keepPack(key string, offset int64, body []byte) {
	n := int64(len(body))
	kept := path.Join(packDir(key), fmt.Sprintf("%d-%d", offset, n))
	c.insert(kept, body)
	root := c.look()
	if root == nil {
		return
	}
	defer root.Close()
	if _, err := root.Lstat(kept); err != nil {
		return
	}
	stretches(root, key, func(name string, start, size int64) bool {
		if name != kept && start >= offset && start+size <= offset+n {
			root.Remove(name)
		}
		return false
	})
}
