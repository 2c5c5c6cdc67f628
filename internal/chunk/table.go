package chunk

import (
	"context"
	"io"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// OpenTable returns a reader of a manifest's table, for manifest.ReadTable. It
// verifies each chunk before it returns the bytes. A nil Budget means no limit.
// The caller may hold memory of the Budget already. Close releases the memory.
func OpenTable(ctx context.Context, st store.Store, t *manifest.Table, b *Budget) io.ReadCloser {
	m := &manifest.Manifest{}
	m.Placement.Packs = t.Packs
	r := NewReader(st, m, &ReaderOptions{Budget: b, Buffers: 4})
	table := &tableReader{ctx: ctx, r: r, chunks: t.File.Chunks}
	spans := planFile(t.Packs, &t.File, 0, 0, len(t.File.Chunks))
	gets := plan(spans, r.gets, r.buffers)
	if share := r.budget.tryAcquire(gets.least(), false); share != nil {
		gets.open(share)
		table.s = startStream(ctx, st, spans, gets, nil)
		table.s.ended = share.close
	}
	return table
}

type tableReader struct {
	ctx    context.Context
	r      *Reader
	s      *stream // nil if no memory is free to read ahead
	job    *job
	chunks []manifest.Chunk // still to read, if s is nil
	rest   []byte
	err    error
}

// Read implements io.Reader.
func (t *tableReader) Read(p []byte) (int, error) {
	for len(t.rest) == 0 && t.err == nil {
		t.err = t.more()
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	if n == 0 && len(p) > 0 {
		return 0, t.err
	}
	return n, nil
}

func (t *tableReader) more() (err error) {
	if t.s == nil {
		if len(t.chunks) == 0 {
			return io.EOF
		}
		err = t.r.chunk(t.ctx, t.chunks[0], func(b []byte) { t.rest = append([]byte(nil), b...) })
		t.chunks = t.chunks[1:]
		return err
	}
	if t.job != nil {
		t.s.release(t.job)
		t.job = nil
	}
	if t.job, err = t.s.next(); err == nil {
		t.rest = t.job.body
	}
	return err
}

// Close implements io.Closer.
func (t *tableReader) Close() error {
	t.rest, t.err = nil, errClosed
	if t.s != nil {
		t.s.close()
		t.s, t.chunks = nil, nil
	}
	return nil
}
