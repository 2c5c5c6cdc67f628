package chunk

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// SourceError is an error of Copy that comes from reading the source, not from
// writing the target.
type SourceError struct{ Err error }

// Error implements error.
func (e *SourceError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// Copy stores the files of m, whose packs are in src, like a Writer stores
// their bytes. It keeps the chunks. It reuses those that cfg.Base has without
// reading them, and stores the others in new packs. It verifies every chunk
// that it reads. The table of m, if any, is decoded; m is not changed.
//
// Inline files need no copy: they are in m.
//
// Errors: a *SourceError if src fails or its data is damaged; others come from
// cfg.Store.
func Copy(ctx context.Context, cfg Config, src store.Store, m *manifest.Manifest) (*Result, error) {
	p := newPacking(ctx, cfg)
	defer p.group.Wait() // for the looks at packs of the base
	defer p.close()
	defer p.cancel(errAborted)
	for _, f := range m.Content.Files {
		f.Chunks = nil
		p.files = append(p.files, &file{entry: f})
	}
	err := p.copy(src, m)
	if err != nil {
		p.cancel(err)
	}
	if perr := p.puts.Wait(); perr != nil && !errors.As(err, new(*SourceError)) {
		err = perr
	}
	if err != nil {
		return nil, err
	}
	return p.result(), nil
}

func (p *packing) copy(src store.Store, m *manifest.Manifest) error {
	if err := p.begin(); err != nil {
		return err
	}
	if err := p.fetch(src, m); err != nil {
		return err
	}
	for i := range m.Content.Files {
		f := &p.files[i].entry
		for _, c := range m.Content.Files[i].Chunks {
			at := p.index[c.SHA256]
			f.Chunks = append(f.Chunks, at.chunk(c.SHA256, c.Size))
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

// fetch reads each chunk that is not stored yet once, and packs the chunks in
// the order of the files.
func (p *packing) fetch(src store.Store, m *manifest.Manifest) error {
	spans, known := p.missing(m)
	p.stats.Read, p.stats.Reused = known, known
	p.report()
	gets, err := p.provideCopy(m, spans)
	if err != nil {
		return err
	}
	s := startStream(p.putCtx, src, spans, gets, func(j *job) error {
		j.frames = make([]ahead, len(j.parts))
		for i := range j.parts {
			a := &j.frames[i]
			a.frame, a.tried = p.frames.ahead(p.share, j.of(&j.parts[i], j.body))
		}
		return nil
	})
	defer s.close()
	for {
		j, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if p.putCtx.Err() != nil {
				return context.Cause(p.putCtx)
			}
			return &SourceError{err}
		}
		for i := range j.parts {
			part, a := &j.parts[i], &j.frames[i]
			b := j.of(part, j.body)
			if !a.tried {
				a.frame = p.frames.compress(b)
			}
			if _, err := p.collect(part.sum, b, a.frame); err != nil {
				return err
			}
			a.frame.drop()
			p.mu.Lock()
			p.stats.Read += part.size
			p.mu.Unlock()
		}
		s.release(j)
		p.report()
	}
}

// missing plans the reading of the chunks of m that are neither in the base
// nor read before, and counts the bytes of the others.
func (p *packing) missing(m *manifest.Manifest) (spans []span, known int64) {
	packs := m.Placement.Packs
	planned := map[manifest.Digest]bool{}
	pack := -1
	for i := range m.Content.Files {
		for _, c := range m.Content.Files[i].Chunks {
			if _, ok := p.lookup(c.SHA256, c.Size); ok || planned[c.SHA256] {
				known += c.Size
				continue
			}
			planned[c.SHA256] = true
			if n := len(spans); n == 0 || c.Pack != pack || c.Offset != spans[n-1].offset+spans[n-1].size || spans[n-1].full(&c) {
				spans = append(spans, span{pack: packs[c.Pack], offset: c.Offset})
				pack = c.Pack
			}
			spans[len(spans)-1].add(c, i, 0)
		}
	}
	return slices.Clip(spans), known
}

// provideCopy acquires the memory to read the spans and to store their chunks.
func (p *packing) provideCopy(m *manifest.Manifest, spans []span) (*reading, error) {
	total := int64(0)
	for i := range m.Content.Files {
		total += m.Content.Files[i].Size
	}
	size := p.packSize(total)
	gets := plan(spans, p.cfg.Puts, func() int { return max(2, p.cfg.Parallel()) })
	gets.size = max(gets.size, bufferSize(int(min(2*total, 2*MaxChunk)))) // also for chunks that relocate moves
	var err error
	if p.share, err = p.cfg.Budget.acquire(p.putCtx, gets.least()+int64(size+p.frameSize())); err != nil {
		return nil, err
	}
	gets.open(p.share)
	p.spare = newPool(p.share, size, 1, func() int { return p.cfg.Parallel() + 1 })
	p.moving = gets.bufs
	return gets, nil
}
