package chunk

import (
	"context"

	"github.com/mindtrace/registry/internal/knob"
)

// pool hands out pack-sized buffers, a fixed number of them. Buffers are made
// when first needed and kept for the next user.
type pool struct {
	slots chan struct{} // one for each buffer that may exist
	free  chan []byte
}

func newPool(n int) *pool {
	return &pool{slots: make(chan struct{}, n), free: make(chan []byte, n)}
}

// get returns a buffer of knob.MaxPack bytes, waiting for one to be put back if
// need be.
func (p *pool) get(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.free:
		return b, nil
	default:
	}
	select {
	case b := <-p.free:
		return b, nil
	case p.slots <- struct{}{}:
		return make([]byte, knob.MaxPack), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// put takes a buffer back. Smaller buffers, which get did not make, are
// dropped.
func (p *pool) put(b []byte) {
	if cap(b) == knob.MaxPack {
		p.free <- b[:knob.MaxPack]
	}
}
