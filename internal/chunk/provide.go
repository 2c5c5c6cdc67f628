package chunk

// complete fills in the defaults.
func (c *Config) complete() {
	if c.PackSize == 0 {
		c.PackSize = MaxPack
	}
	if c.Budget == nil {
		c.Budget, _ = NewBudget(0)
	}
	if c.Puts == 0 {
		c.Puts = 4
	}
	if c.Buffers == 0 {
		c.Buffers = c.Puts + 4
	}
	if c.Parallel == nil {
		// Two of the buffers are for filling packs.
		c.Parallel = upTo(max(2, c.Buffers-2) - 2)
	} else {
		c.Puts = maxParallel
	}
}

// maxParallel is the largest number of packs that are put, or read, at once.
const maxParallel = 32

// provide acquires the memory to store an object of total bytes. A total above
// MaxPack stands for any larger size.
func (p *packing) provide(total int64) (err error) {
	if p.share != nil {
		return nil
	}
	size := p.packSize(total)
	n := 5 * size // segment, pack, frame, and a moved chunk, both as stored and decompressed
	if total >= MaxPack {
		n = 3*size + p.frameSize() // two segments, since one takes the tail of the other, and a pack
	}
	if p.share, err = p.cfg.Budget.acquire(p.ctx, int64(n)); err != nil {
		return err
	}
	p.segs = newPool(p.share, p.cfg.PackSize, 2, func() int { return p.cfg.Parallel() + 2 })
	p.spare = newPool(p.share, size, 1, func() int { return max(2, p.cfg.Parallel()-2) })
	if size == p.cfg.PackSize {
		p.moving = p.segs // all segments are packed by then
	}
	return nil
}

// packSize returns the size of the buffers to store an object of n bytes.
func (p *packing) packSize(n int64) int {
	return min(bufferSize(int(min(n, MaxPack))), p.cfg.PackSize)
}

// frameSize returns the memory for a chunk that is compressed when it is
// packed.
func (p *packing) frameSize() int {
	if p.frames == nil {
		return 0
	}
	return MaxChunk
}
