package chunk

import "github.com/mindtrace/registry/internal/manifest"

// look is a request for one pack of the base, and its result.
type look struct {
	done chan struct{}
	ok   bool
}

// maxAhead is at how many packs a base looks at once.
const maxAhead = 16

// there reports whether pack i of the base is in the store and has its size. If
// the save relied on a pack that was deleted or cut short, the bytes, which are
// at hand now, would be lost unnoticed. Damage inside a pack is not found this
// way; Verify finds it, by reading everything.
//
// It costs one request for each pack that is used. If packs are used in order,
// it looks at the next ones ahead.
func (b *base) there(i int) bool {
	if b.looks[i] == nil {
		for n := i; n < min(i+b.ahead, len(b.packs)); n++ {
			b.look(n)
		}
		b.ahead = min(2*b.ahead, maxAhead)
	}
	l := b.looks[i]
	select {
	case <-l.done:
		return l.ok
	case <-b.ctx.Done():
		return false
	}
}

// look starts looking at pack i.
func (b *base) look(i int) {
	if b.looks[i] != nil {
		return
	}
	l := &look{done: make(chan struct{})}
	b.looks[i] = l
	b.group.Go(func() error {
		defer close(l.done)
		l.ok = b.stat(b.packs[i])
		return nil
	})
}

// stat reports whether the store has the pack. If the store does not answer,
// the save does not rely on the pack.
func (p *packing) stat(pack manifest.Pack) bool {
	info, err := p.cfg.Store.Stat(p.putCtx, pack.Key())
	if err == nil && info.Size == pack.Size {
		return true
	}
	if p.putCtx.Err() == nil {
		p.cfg.warn(p.putCtx, "pack of an earlier version is missing or damaged; its chunks are stored anew", pack.Key())
	}
	return false
}
