package chunk

import "github.com/mindtrace/registry/internal/manifest"

// look is a look at one pack of a base, to be waited for.
type look struct {
	done chan struct{}
	ok   bool
}

// maxAhead is at how many packs a base looks at once.
const maxAhead = 16

// there reports whether pack i of the base is in the store, whole by its
// size: the bytes to be saved are at hand, and would be lost without a trace
// if they were taken to be in a pack that somebody has deleted or cut short.
// Damage inside a pack is not found this way; only reading it all finds it,
// which is what Verify does.
//
// It costs one request for each pack that is asked for. Where one after the
// other is asked for, the next ones are looked at ahead.
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

// look begins to look at pack i.
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

// stat reports whether the store has the pack. One that does not answer is
// none to rely on.
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
