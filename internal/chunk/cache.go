package chunk

import (
	"slices"
	"sync"

	"github.com/mindtrace/registry/internal/manifest"
)

// chunkCache keeps the chunks read last by ReadAt: reads of neighbouring
// places cost one request.
type chunkCache struct {
	b   *Budget
	max int64

	mu    sync.Mutex
	size  int64     // of all chunks, and of what is reserved
	known []*cached // newest last
}

type cached struct {
	sum   manifest.Digest
	body  []byte
	users int
}

const (
	cacheChunks = 8   // of the largest size, where no limit says how much
	maxCached   = 256 // chunks, however small
)

// get returns a chunk, to be given back with done, or nil.
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

// reserve makes room for n bytes. It fails if all that is there is in use.
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

// add keeps a chunk that room was reserved for, in use.
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
