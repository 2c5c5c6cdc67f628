package chunk

import (
	"context"
	"slices"
	"sync"
)

// pool hands out buffers of one size to one operation: as many as its share
// was taken with, and more as long as there is memory for them.
type pool struct {
	share *share
	size  int
	min   int        // buffers that are there whatever others hold
	max   func() int // that may be in use now

	mu      sync.Mutex
	out     int // in use
	waiting []chan struct{}
}

func newPool(s *share, size, min int, max func() int) *pool {
	return &pool{share: s, size: size, min: min, max: max}
}

// upTo is a limit that stays the same.
func upTo(n int) func() int { return func() int { return n } }

// get returns a buffer, waiting for one to be put back if need be.
func (p *pool) get(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	if p.out < p.min || p.out < p.max() && p.share.try(int64(p.size)) {
		p.out++
		p.mu.Unlock()
		return p.share.b.buffer(p.size), nil
	}
	turn := make(chan struct{})
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return p.share.b.buffer(p.size), nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := slices.Index(p.waiting, turn); i >= 0 {
			p.waiting = slices.Delete(p.waiting, i, i+1)
		} else {
			p.back() // it has come at the same moment
		}
		return nil, context.Cause(ctx)
	}
}

// put takes a buffer back. Buffers of another size, which get did not make,
// are dropped.
func (p *pool) put(b []byte) {
	if cap(b) != p.size {
		return
	}
	p.share.b.keep(b)
	p.drop()
}

// drop is put of a buffer that somebody may still be reading, such as
// a request that was given up. It is left to the collector.
func (p *pool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.back()
}

// back passes on the right to a buffer, or gives it up.
func (p *pool) back() {
	if len(p.waiting) > 0 {
		close(p.waiting[0])
		p.waiting = slices.Delete(p.waiting, 0, 1)
		return
	}
	if p.out--; p.out >= p.min {
		p.share.free(int64(p.size))
	}
}
