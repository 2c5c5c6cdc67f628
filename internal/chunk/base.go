package chunk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/mindtrace/registry/internal/manifest"
)

// base is a version whose chunks may be reused.
type base struct {
	packs   []manifest.Pack
	chunks  map[manifest.Digest]basePlace
	adopted map[int]int // number of a pack in the base → in the object being saved

	ctx   context.Context
	group *errgroup.Group
	stat  func(manifest.Pack) bool
	looks []*look // one for each pack
	ahead int     // how many packs to look at ahead
}

type basePlace struct {
	place
	size int64
}

func newBase(p *packing, m *manifest.Manifest) *base {
	b := &base{
		packs: m.Packs(), chunks: map[manifest.Digest]basePlace{}, adopted: map[int]int{},
		ctx: p.putCtx, group: p.group, stat: p.stat, ahead: 1,
	}
	b.looks = make([]*look, len(b.packs))
	first := 0
	if m.Table != nil {
		for _, c := range m.Table.File.Chunks {
			b.chunks[c.SHA256] = basePlace{place{c.Pack, c.Offset, c.Stored}, c.Size}
		}
		first = len(m.Table.Packs)
	}
	for i := range m.Content.Files {
		for _, c := range m.Content.Files[i].Chunks {
			b.chunks[c.SHA256] = basePlace{place{first + c.Pack, c.Offset, c.Stored}, c.Size}
		}
	}
	return b
}

func (b *base) has(sum manifest.Digest) bool {
	if b == nil {
		return false
	}
	_, ok := b.chunks[sum]
	return ok
}

func (b *base) find(sum manifest.Digest, size int64) (place, bool) {
	if b == nil {
		return place{}, false
	}
	at, ok := b.chunks[sum]
	return at.place, ok && at.size == size && b.there(at.pack)
}

// A version that reuses one chunk of an old pack prevents the collection of the
// whole pack, and a version with chunks in a thousand packs needs a thousand
// requests to load. So these chunks are stored anew:
//
//   - chunks of packs of which less than a quarter would be reused;
//   - chunks of packs under 4 MiB, if there are more than sixteen of these.
const (
	minReuse  = 4
	smallPack = MaxPack / 4
	maxSmall  = 16
)

// relocate stores chunks of the base anew where reuse would be wasteful. All
// segments have been packed.
func (p *packing) relocate() error {
	if p.base == nil {
		return nil
	}
	reused := map[int]int64{} // pack → bytes of it in use
	seen := map[place]bool{}
	for _, f := range p.files {
		for _, c := range f.entry.Chunks {
			if at := (place{c.Pack, c.Offset, c.Stored}); !seen[at] {
				seen[at] = true
				reused[c.Pack] += c.Len()
			}
		}
	}
	move, small := map[int]bool{}, map[int]bool{}
	for _, n := range p.base.adopted {
		pack := p.packs[n]
		if reused[n]*minReuse < pack.Size {
			move[n] = true
		} else if pack.Size < smallPack {
			small[n] = true
		}
	}
	if len(small) > maxSmall {
		for n := range small {
			move[n] = true
		}
	}
	if len(move) == 0 {
		return nil
	}
	moved := map[manifest.Digest]place{}
	for _, f := range p.files {
		for i := range f.entry.Chunks {
			c := &f.entry.Chunks[i]
			if !move[c.Pack] {
				continue
			}
			at, ok := moved[c.SHA256]
			if !ok {
				b, release, err := p.read(p.packs[c.Pack], *c)
				if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrMissing) {
					return fmt.Errorf("%w; save again without reusing anything (WithoutReuse, --no-reuse)", err)
				}
				if err != nil {
					return err
				}
				at, err = p.collect(c.SHA256, b, p.frames.compress(b))
				release()
				if err != nil {
					return err
				}
				moved[c.SHA256] = at
			}
			*c = at.chunk(c.SHA256, c.Size)
		}
	}
	return nil
}

// read reads a chunk that relocate moves to another pack.
func (p *packing) read(pack manifest.Pack, c manifest.Chunk) (b []byte, release func(), err error) {
	release = func() {}
	var raw []byte
	if p.moving != nil {
		buf, err := p.moving.get(p.putCtx)
		if err != nil {
			return nil, nil, err
		}
		release = func() { p.moving.put(buf) }
		b, raw = buf[:len(buf)/2:len(buf)/2], buf[len(buf)/2:]
	}
	if b, err = getChunk(p.putCtx, p.cfg.Store, pack, c, b, raw); err != nil {
		release()
	}
	return b, release, err
}

// dropUnused returns the packs that the files use, and renumbers the chunks
// accordingly.
func dropUnused(packs []manifest.Pack, files []manifest.File) []manifest.Pack {
	number := make([]int, len(packs))
	for i := range files {
		for _, c := range files[i].Chunks {
			number[c.Pack] = 1
		}
	}
	if !slices.Contains(number, 0) {
		return packs
	}
	var used []manifest.Pack
	for i := range packs {
		if number[i] == 1 {
			used = append(used, packs[i])
			number[i] = len(used) - 1
		}
	}
	for i := range files {
		for j := range files[i].Chunks {
			c := &files[i].Chunks[j]
			c.Pack = number[c.Pack]
		}
	}
	return used
}
