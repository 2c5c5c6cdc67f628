package chunk

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/mechanism"
)

// packing is one object being stored, by a Writer or by Copy. It decides for
// each chunk whether it is stored already, lays the others into packs, and has
// the packs put. What it does depends on the contents and the base alone, not
// on timing: a save that was interrupted and is run again makes the same packs.
type packing struct {
	cfg    Config
	ctx    context.Context // of all work for the object
	cancel context.CancelCauseFunc
	group  *errgroup.Group // all goroutines except those that put
	files  []*file
	frames *compressor // or nil
	share  *share      // set once the size of the object is known

	putter putter
	puts   *errgroup.Group
	putCtx context.Context // also ends when a put fails
	slots  chan struct{}   // an entry for each put that still needs its body

	segs   *pool                     // buffers for segments, or nil
	index  map[manifest.Digest]place // chunks of this object
	base   *base
	known  atomic.Pointer[base] // the same base, for the goroutines that hash
	spare  *pool                // buffers for the pack being filled
	moving *pool                // buffers for a chunk that relocate moves, or nil
	pack   []byte
	size   int
	chunks []manifest.Digest // in pack, as they are stored
	number int               // of the pack being filled

	mu       sync.Mutex
	packs    []manifest.Pack
	evidence time.Time
	stats    Stats
}

// place is where a chunk is stored.
type place struct {
	pack   int
	offset int64
	stored int64 // as in manifest.Chunk
}

func (at place) chunk(sum manifest.Digest, size int64) manifest.Chunk {
	return manifest.Chunk{SHA256: sum, Size: size, Pack: at.pack, Offset: at.offset, Stored: at.stored}
}

func newPacking(ctx context.Context, cfg Config) *packing {
	cfg.complete()
	p := &packing{cfg: cfg, index: map[manifest.Digest]place{}, number: -1}
	p.putter = putter{cfg: &p.cfg, compare: make(chan struct{}, 2), looking: new(looking)}
	p.putter.looking.off = !mechanism.Look
	if cfg.Compress {
		p.frames = cfg.Budget.frames
	}
	ctx, p.cancel = context.WithCancelCause(ctx)
	p.group, p.ctx = errgroup.WithContext(ctx)
	p.puts, p.putCtx = errgroup.WithContext(p.ctx)
	p.puts.SetLimit(cfg.Puts + maxStaged)
	p.slots = make(chan struct{}, cfg.Puts)
	return p
}

// close gives the memory back. Nothing may be under way any more.
func (p *packing) close() {
	if p.share != nil {
		p.share.close()
		p.share = nil
	}
}

// result returns what has been stored, once everything is.
func (p *packing) result() *Result {
	r := &Result{Evidence: p.evidence, Stats: p.stats}
	for _, f := range p.files {
		r.Files = append(r.Files, f.entry)
	}
	r.Packs = dropUnused(p.packs, r.Files)
	return r
}

// maxStaged is how many packs, in addition to those being put, the store may
// have taken and not made durable yet. Their buffers are in use for other packs
// already.
const maxStaged = 16

// run packs segments until there are no more, and waits for the puts.
func (p *packing) run(segments <-chan *segment) error {
	err := p.runAll(segments)
	if err != nil {
		p.cancel(err) // this ends all waits for a buffer
	}
	if perr := p.puts.Wait(); perr != nil && (err == nil || p.ctx.Err() == nil) {
		err = perr
	}
	return err
}

func (p *packing) runAll(segments <-chan *segment) error {
	begun := false
	for s := range segments {
		s.work.Wait()
		if !begun {
			begun = true
			if err := p.begin(); err != nil {
				return err
			}
		}
		if err := p.add(s); err != nil {
			return err
		}
		if p.putCtx.Err() != nil {
			return context.Cause(p.putCtx)
		}
	}
	if err := p.relocate(); err != nil {
		return err
	}
	if p.number >= 0 {
		return p.flush()
	}
	return nil
}

// begin reads the store's time, which is before all evidence of this save, and
// loads the base.
func (p *packing) begin() error {
	te, err := p.cfg.Clock.Fresh(p.putCtx, p.cfg.Store, time.Minute)
	if err != nil {
		return err
	}
	p.evidence = te
	if p.cfg.Base == nil {
		return nil
	}
	m, err := p.cfg.Base(p.putCtx)
	if err != nil {
		return err
	}
	if m != nil {
		p.base = newBase(p, m)
		p.known.Store(p.base)
	}
	return nil
}

// add packs one segment.
func (p *packing) add(s *segment) error {
	if p.allNew(s) {
		return p.putSegment(s)
	}
	defer p.segs.put(s.buf)
	for i := range s.cuts {
		c := &s.cuts[i]
		if c.end == c.start {
			continue
		}
		at, known := p.lookup(c.sum, int64(c.end-c.start))
		if !known {
			b := s.buf[c.start:c.end]
			if !c.tried { // not compressed ahead, since it seemed to be in the base
				c.frame = p.frames.compress(b)
			}
			var err error
			if at, err = p.collect(c.sum, b, c.frame); err != nil {
				return err
			}
		}
		c.frame.drop()
		c.frame = nil
		p.assign(c, at, known)
	}
	p.report()
	return nil
}

// allNew reports whether a full segment has only new, uncompressed chunks. Then
// the segment can be put as a pack without a copy.
func (p *packing) allNew(s *segment) bool {
	if len(s.buf) < p.cfg.PackSize || s.n < p.cfg.PackSize {
		return false
	}
	seen := make(map[manifest.Digest]bool, len(s.cuts))
	for i := range s.cuts {
		c := &s.cuts[i]
		if c.end == c.start {
			continue
		}
		if !c.tried && !p.base.has(c.sum) { // no memory was free to compress it ahead
			c.tried, c.frame = true, p.frames.compress(s.buf[c.start:c.end])
		}
		if c.frame != nil {
			return false
		}
		if _, ok := p.index[c.sum]; ok || seen[c.sum] || p.base.has(c.sum) {
			return false
		}
		seen[c.sum] = true
	}
	return true
}

// putSegment puts a segment as one pack.
func (p *packing) putSegment(s *segment) error {
	if p.number >= 0 {
		if err := p.flush(); err != nil {
			return err
		}
	}
	number := p.newPack()
	first, last := -1, 0
	var sums []manifest.Digest
	for i := range s.cuts {
		c := &s.cuts[i]
		if c.end == c.start {
			continue
		}
		if first < 0 {
			first = c.start
		}
		last = c.end
		sums = append(sums, c.sum)
		at := place{pack: number, offset: int64(c.start - first)}
		p.index[c.sum] = at
		p.assign(c, at, false)
	}
	p.report()
	return p.put(number, sums, s.buf[first:last], p.segs, s.buf)
}

// lookup finds a chunk that is stored already.
func (p *packing) lookup(sum manifest.Digest, size int64) (place, bool) {
	if at, ok := p.index[sum]; ok {
		return at, true
	}
	bp, ok := p.base.find(sum, size)
	if !ok {
		return place{}, false
	}
	at := place{p.adopt(bp.pack), bp.offset, bp.stored}
	p.index[sum] = at
	return at, true
}

// adopt returns the number of a pack of the base in this object.
func (p *packing) adopt(i int) int {
	if n, ok := p.base.adopted[i]; ok {
		return n
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packs = append(p.packs, p.base.packs[i])
	p.base.adopted[i] = len(p.packs) - 1
	return len(p.packs) - 1
}

// collect copies a chunk, or its frame if f is not nil, into the pack being
// filled.
func (p *packing) collect(sum manifest.Digest, b []byte, f *frame) (place, error) {
	sumStored := sum
	if f != nil {
		b, sumStored = f.bytes, f.sum
	}
	if p.number >= 0 && p.size+len(b) > p.spare.size {
		if err := p.flush(); err != nil {
			return place{}, err
		}
	}
	if p.number < 0 {
		pack, err := p.spare.get(p.putCtx)
		if err != nil {
			return place{}, err
		}
		p.pack, p.size, p.chunks, p.number = pack, 0, nil, p.newPack()
	}
	at := place{pack: p.number, offset: int64(p.size)}
	if f != nil {
		at.stored = int64(len(b))
	}
	if len(b) > len(p.pack)-p.size {
		return place{}, fmt.Errorf("chunk of %d bytes, in an object that should have fewer: its source changes while it is read", len(b))
	}
	p.size += copy(p.pack[p.size:], b)
	p.chunks = append(p.chunks, sumStored)
	p.index[sum] = at
	return at, nil
}

// flush puts the pack that is being filled.
func (p *packing) flush() error {
	pack, size, number, sums := p.pack, p.size, p.number, p.chunks
	p.pack, p.number, p.chunks = nil, -1, nil
	return p.put(number, sums, pack[:size], p.spare, pack)
}

func (p *packing) newPack() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packs = append(p.packs, manifest.Pack{})
	return len(p.packs) - 1
}

// assign records where a chunk of a file is stored.
func (p *packing) assign(c *cut, at place, known bool) {
	f, size := c.file, int64(c.end-c.start)
	f.entry.Chunks = append(f.entry.Chunks, at.chunk(c.sum, size))
	if c.first && c.last {
		f.entry.SHA256 = c.sum
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Read += size
	if known {
		p.stats.Reused += size
	}
}

// put puts a pack in the background. When the store has taken the body, it puts
// buf, which holds the body, back to its pool. It waits while as many puts as
// allowed are under way.
func (p *packing) put(number int, sums []manifest.Digest, body []byte, from *pool, buf []byte) error {
	pack := manifest.Pack{ID: packID(sums), Size: int64(len(body))}
	select {
	case p.slots <- struct{}{}:
	case <-p.putCtx.Done():
		from.put(buf)
		return context.Cause(p.putCtx)
	}
	var once sync.Once
	done := func(back func()) {
		once.Do(func() {
			back()
			<-p.slots
		})
	}
	taken := func() { done(func() { from.put(buf) }) }
	p.puts.Go(func() error {
		defer taken()
		era, err := p.putter.put(p.putCtx, pack, body, taken)
		if err != nil {
			done(from.drop)
			err = fmt.Errorf("storing pack %s: %w", pack.ID, err)
			p.cancel(err)
			return err
		}
		p.mu.Lock()
		pack.Era = era
		p.packs[number] = pack
		p.stats.Stored += pack.Size
		p.stats.Packs++
		p.stats.Found = p.putter.looking.found.Load()
		p.mu.Unlock()
		p.report()
		return nil
	})
	return context.Cause(p.putCtx)
}

func (p *packing) report() {
	if p.cfg.Progress == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cfg.Progress(p.stats)
}
