package chunk

import (
	"slices"
	"sync"

	"github.com/mindtrace/registry/internal/manifest"
)

// chunkCache keeps the chunks that ReadAt has read last, so that reads of
// neighbouring places cost one request.
type chunkCache struct {
	b   *Budget
	max int64

	mu    sync.Mutex
	size  int64     // bytes of all chunks, and those reserved
	known []*cached // newest last
}

type cached struct {
	sum   manifest.Digest
	body  []byte
	users int
}

const (
	cacheChunks = 8   // chunks of the largest size, for a Budget without limit
	maxCached   = 256 // chunks at most, however small
)

// get returns a chunk, or nil. The caller gives it back with done.
func (c *chunkCache) get(sum manifest.Digest) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range c.known {
		if k.sum == sum {
			c.known = append(slices.Delete(c.known, i, i+1), k)
			k.users++
			return k
		}
	}
	return nil
}

// reserve makes room for n bytes. It reports false if all chunks are in use.
func (c *chunkCache) reserve(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; i < len(c.known) && (c.size+n > c.max || len(c.known) >= maxCached); {
		if c.known[i].users > 0 {
			i++
			continue
		}
		c.change(-int64(len(c.known[i].body)))
		c.known = slices.Delete(c.known, i, i+1)
	}
	if c.size+n > c.max {
		return false
	}
	c.change(n)
	return true
}

func (c *chunkCache) change(n int64) {
	c.size += n
	c.b.count(n)
}

// unreserve gives up room.
func (c *chunkCache) unreserve(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change(-n)
}

// add adds a chunk for which room was reserved. The chunk is in use.
func (c *chunkCache) add(sum manifest.Digest, body []byte) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &cached{sum, body, 1}
	c.known = append(c.known, k)
	return k
}

func (c *chunkCache) done(k *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.users--
}
