package chunk

import (
	"context"
	"slices"
	"sync"
)

// pool hands out buffers of one size to one operation: as many as the operation
// has acquired memory for, and more while the Budget has memory.
type pool struct {
	share *share
	size  int
	min   int        // buffers whose memory the operation has acquired
	max   func() int // limit of the buffers in use now

	mu      sync.Mutex
	out     int // buffers in use
	waiting []chan struct{}
}

func newPool(s *share, size, min int, max func() int) *pool {
	return &pool{share: s, size: size, min: min, max: max}
}

// upTo returns a constant limit.
func upTo(n int) func() int { return func() int { return n } }

// get returns a buffer. It may wait until one is put back.
func (p *pool) get(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	if p.out < p.min || p.out < p.max() && p.share.tryAcquire(int64(p.size)) {
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
			p.back() // the buffer came at the same moment as the end of ctx
		}
		return nil, context.Cause(ctx)
	}
}

// put takes a buffer back. It drops a buffer of another size, which does not
// come from get.
func (p *pool) put(b []byte) {
	if cap(b) != p.size {
		return
	}
	p.share.b.keep(b)
	p.drop()
}

// drop replaces put for a buffer that may still be read, for instance by
// a request that was given up. Go's garbage collector frees the buffer.
func (p *pool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.back()
}

// back passes the right to a buffer to a waiting caller, or gives it up.
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
