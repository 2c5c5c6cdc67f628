package chunk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// A Reader reads the files of one version. Every byte it returns has been
// verified. It may be used by many goroutines.
type Reader struct {
	st      store.Store
	m       *manifest.Manifest
	inline  []int64 // where each file starts in the inline bytes
	budget  *Budget
	gets    int
	buffers func() int // how many may be in use now
	byFile  bool
}

// ReaderOptions adjust NewReader. nil means the zero value.
type ReaderOptions struct {
	Budget  *Budget // limit of the memory; nil: no limit
	Gets    int     // requests at a time; 0 means 4
	Buffers int     // number of buffers of MaxPack bytes, if the Budget has them; 0 means Gets + 4

	// Parallel, if not nil, returns how many requests to make at once now, and
	// replaces Gets and Buffers.
	Parallel func() int

	// FileDigests makes Fetch verify a file of several chunks by the digest of
	// the file only, which covers every byte. So the bytes are hashed once
	// instead of twice. If the digest is wrong, Fetch reads the file once more
	// and verifies each chunk, to report which is damaged.
	FileDigests bool
}

// NewReader returns a Reader of a manifest whose table, if any, is decoded.
func NewReader(st store.Store, m *manifest.Manifest, opts *ReaderOptions) *Reader {
	var o ReaderOptions
	if opts != nil {
		o = *opts
	}
	r := &Reader{st: st, m: m, budget: o.Budget, gets: cmp.Or(o.Gets, 4), byFile: o.FileDigests}
	r.buffers = upTo(cmp.Or(o.Buffers, r.gets+4))
	if o.Parallel != nil {
		r.gets, r.buffers = maxParallel, func() int { return o.Parallel() + 3 }
	}
	if r.budget == nil {
		r.budget, _ = NewBudget(0)
	}
	if len(m.Placement.Packs) == 0 {
		var at int64
		for i := range m.Content.Files {
			r.inline = append(r.inline, at)
			at += m.Content.Files[i].Size
		}
	}
	return r
}

// inlined returns the bytes of a file that is inline or empty.
func (r *Reader) inlined(i int) ([]byte, bool, error) {
	f := &r.m.Content.Files[i]
	if f.Size == 0 {
		return nil, true, nil
	}
	if r.inline == nil {
		return nil, false, nil
	}
	b := r.m.Placement.Inline[r.inline[i]:][:f.Size]
	if manifest.Sum(b) != f.SHA256 {
		return nil, true, fmt.Errorf("%w: %q does not have its digest %s", ErrCorrupt, f.Path, f.SHA256)
	}
	return b, true, nil
}

// Open returns a reader of the whole file, which reads ahead. Its last Read
// fails if the file does not have its digest.
func (r *Reader) Open(ctx context.Context, file int) io.ReadCloser {
	return &fileReader{r: r, ctx: ctx, file: file}
}

type fileReader struct {
	r    *Reader
	ctx  context.Context
	file int

	begun bool
	s     *stream
	check fileCheck
	job   *job
	rest  []byte
	err   error

	byChunk bool // no memory is free to read ahead
	plain   []byte
	off     int64
}

func (f *fileReader) Read(p []byte) (int, error) {
	if !f.begun {
		f.begun = true
		f.begin()
	}
	for len(f.rest) == 0 && f.err == nil {
		f.err = f.more()
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	if n == 0 && len(p) > 0 {
		return 0, f.err
	}
	return n, nil
}

func (f *fileReader) begin() {
	b, ok, err := f.r.inlined(f.file)
	if ok {
		f.rest, f.err = b, err
		return
	}
	m := f.r.m
	file := &m.Content.Files[f.file]
	f.check.m = m
	spans := planFile(m.Placement.Packs, file, f.file, 0, len(file.Chunks))
	gets := plan(spans, f.r.gets, f.r.buffers)
	share := f.r.budget.tryAcquire(gets.least(), true)
	if f.byChunk = share == nil; f.byChunk {
		f.plain = make([]byte, smallBody)
		return
	}
	gets.open(share)
	f.s = startStream(f.ctx, f.r.st, spans, gets, nil)
	f.s.ended = share.close
}

func (f *fileReader) more() error {
	if f.byChunk {
		return f.moreByChunk()
	}
	if f.s == nil {
		return io.EOF
	}
	if f.job != nil {
		f.s.release(f.job)
		f.job = nil
	}
	j, err := f.s.next()
	if err != nil {
		f.s.close()
		return err
	}
	if len(f.check.m.Content.Files[f.file].Chunks) > 1 { // else the chunk's digest is the file's
		for i := range j.parts {
			p := &j.parts[i]
			if _, err := f.check.add(p, j.of(p, j.body)); err != nil {
				return err
			}
		}
	}
	f.job, f.rest = j, j.body
	return nil
}

// moreByChunk reads the next chunk while no memory is free to read ahead.
func (f *fileReader) moreByChunk() error {
	n, err := f.r.ReadAt(f.ctx, f.file, f.plain, f.off)
	if n == 0 {
		return err
	}
	b := f.plain[:n]
	if _, err := f.check.add(&part{file: f.file, size: int64(n)}, b); err != nil {
		return err
	}
	f.off += int64(n)
	f.rest = b
	return nil
}

// Close ends the read-ahead and releases the memory.
func (f *fileReader) Close() error {
	f.begun, f.rest, f.err = true, nil, errClosed
	if f.s != nil {
		f.s.close()
	}
	return nil
}

// ReadAt reads len(p) bytes of a file from offset off, verified chunk by
// chunk. At the end of the file it returns fewer, and io.EOF.
func (r *Reader) ReadAt(ctx context.Context, file int, p []byte, off int64) (int, error) {
	f := &r.m.Content.Files[file]
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	if off >= f.Size {
		return 0, io.EOF
	}
	if b, ok, err := r.inlined(file); ok {
		if err != nil {
			return 0, err
		}
		n := copy(p, b[off:])
		return n, eofIf(n < len(p))
	}
	want := p[:min(int64(len(p)), f.Size-off)]
	n := 0
	var at int64
	for _, c := range f.Chunks {
		if at+c.Size > off+int64(n) && n < len(want) {
			err := r.chunk(ctx, c, func(body []byte) { n += copy(want[n:], body[off+int64(n)-at:]) })
			if err != nil {
				return n, err
			}
		}
		at += c.Size
	}
	return n, eofIf(len(want) < len(p))
}

func eofIf(end bool) error {
	if end {
		return io.EOF
	}
	return nil
}

// stream waits for the memory to read the spans, and starts reading them.
func (r *Reader) stream(ctx context.Context, spans []span, each func(*job) error) (*stream, error) {
	gets := plan(spans, r.gets, r.buffers)
	share, err := r.budget.acquire(ctx, gets.least())
	if err != nil {
		return nil, err
	}
	gets.open(share)
	s := startStream(ctx, r.st, spans, gets, each)
	s.ended = share.close
	return s, nil
}

// chunk calls use with the verified bytes of a chunk.
func (r *Reader) chunk(ctx context.Context, c manifest.Chunk, use func([]byte)) error {
	cache := &r.budget.cache
	if k := cache.get(c.SHA256); k != nil {
		defer cache.done(k)
		use(k.body)
		return nil
	}
	pack := r.m.Placement.Packs[c.Pack]
	keep := cache.reserve(c.Size)
	n, half := c.Stored, int64(0) // the buffer holds the chunk, and behind it the stored bytes
	var b []byte
	if keep {
		b = make([]byte, c.Size)
	} else {
		half = c.Size
		n += c.Size
	}
	var raw []byte
	if n > 0 {
		buf, release, err := r.budget.tempBuffer(ctx, int(n))
		if err != nil {
			if keep {
				cache.unreserve(c.Size)
			}
			return err
		}
		defer release()
		raw = buf[half:]
		if !keep {
			b = buf[:half:half]
		}
	}
	body, err := getChunk(ctx, r.st, pack, c, b, raw)
	if !keep {
		if err == nil {
			use(body)
		}
		return err
	}
	if err != nil {
		cache.unreserve(c.Size)
		return err
	}
	defer cache.done(cache.add(c.SHA256, body))
	use(body)
	return nil
}
