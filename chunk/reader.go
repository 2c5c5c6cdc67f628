package chunk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store"
)

// A Reader reads the files of one version. Every byte it returns has been
// verified. It may be used by many goroutines.
type Reader struct {
	st      store.Store
	m       *manifest.Manifest
	inline  []int64 // where each file starts in the inline bytes
	gets    int
	buffers int
	byFile  bool

	mu    sync.Mutex
	cache []cached // chunks read last by ReadAt, newest last
}

type cached struct {
	sum  manifest.Digest
	body []byte
}

// ReaderOptions adjust NewReader. nil means the zero value.
type ReaderOptions struct {
	Gets    int // requests at a time; 0 means 4
	Buffers int // of MaxPack bytes; 0 means 8

	// FileDigests makes Fetch verify a file of several chunks by the digest of
	// the file alone, which covers every byte of it, and so hash it once instead
	// of twice. Only if that is not right, the file is read once more and each
	// chunk verified, which tells what is damaged.
	FileDigests bool
}

// NewReader returns a Reader of a manifest whose table, if any, is decoded.
func NewReader(st store.Store, m *manifest.Manifest, opts *ReaderOptions) *Reader {
	r := &Reader{st: st, m: m, gets: 4, buffers: 8}
	if opts != nil && opts.Gets > 0 {
		r.gets = opts.Gets
	}
	if opts != nil && opts.Buffers > 0 {
		r.buffers = opts.Buffers
	}
	r.byFile = opts != nil && opts.FileDigests
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
	f.s = startStream(f.ctx, f.r.st, planFile(m.Placement.Packs, file, f.file, 0, len(file.Chunks)), f.r.gets, f.r.buffers, nil)
}

func (f *fileReader) more() error {
	if f.s == nil {
		return io.EOF
	}
	if f.job != nil {
		f.s.release(f.job)
		f.job = nil
	}
	j, err := f.s.next()
	if err != nil {
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

// Close ends reading ahead.
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
			body, err := r.chunk(ctx, c)
			if err != nil {
				return n, err
			}
			n += copy(want[n:], body[off+int64(n)-at:])
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

// cacheChunks is how many chunks ReadAt keeps: reads of neighbouring places
// cost one request.
const cacheChunks = 8

func (r *Reader) chunk(ctx context.Context, c manifest.Chunk) ([]byte, error) {
	r.mu.Lock()
	for i, have := range r.cache {
		if have.sum == c.SHA256 {
			r.cache = append(slices.Delete(r.cache, i, i+1), have)
			r.mu.Unlock()
			return have.body, nil
		}
	}
	r.mu.Unlock()
	body, err := getChunk(ctx, r.st, r.m.Placement.Packs[c.Pack], c, nil)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) == cacheChunks {
		r.cache = slices.Delete(r.cache, 0, 1)
	}
	r.cache = append(r.cache, cached{c.SHA256, body})
	return body, nil
}

// ReadTable reads the table of a manifest whose Table is set.
func ReadTable(ctx context.Context, st store.Store, t *manifest.Table) ([]byte, error) {
	table := make([]byte, 0, min(t.File.Size, 64<<20))
	s := startStream(ctx, st, planFile(t.Packs, &t.File, 0, 0, len(t.File.Chunks)), 4, 4, nil)
	defer s.close()
	for {
		j, err := s.next()
		if err == io.EOF {
			return table, nil
		}
		if err != nil {
			return nil, err
		}
		table = append(table, j.body...)
		s.release(j)
	}
}
