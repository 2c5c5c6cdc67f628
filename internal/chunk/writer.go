package chunk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// MaxPack is the size of the largest pack, in bytes.
const MaxPack = manifest.MaxPack

// Config is where and how a Writer stores.
type Config struct {
	Store store.Store
	Clock *wrapstore.Clock // of Store
	Times manifest.Times

	// Base returns a manifest whose chunks may be reused, because their packs
	// certainly exist (rule E2 of docs/protocol.md): its version is live and
	// not late, and was read after the Writer was made. Base is called once,
	// when the first pack is full. nil, or a nil manifest: reuse nothing.
	Base func(context.Context) (*manifest.Manifest, error)

	// MaxInline is the largest total size, in bytes, of files that are not
	// stored in packs.
	MaxInline int

	// PackSize is the size of the largest pack, in bytes; 0 means MaxPack.
	PackSize int

	// Budget limits the memory. nil: no limit.
	Budget *Budget
	// Buffers is the number of buffers of MaxPack bytes that the Writer may
	// fill, if the Budget has them; 0 means Puts + 4.
	Buffers int
	// Puts is how many packs are put at once; 0 means 4.
	Puts int
	// Parallel, if not nil, returns how many packs to put at once now, and
	// replaces Buffers and Puts.
	Parallel func() int
	// Compress stores chunks compressed where that pays.
	Compress bool
	// Progress, if not nil, is called when bytes were stored or found stored
	// already. Calls do not overlap.
	Progress func(Stats)
	// Logger gets a warning for damage in the store. nil: no warnings.
	Logger *slog.Logger
}

// Stats counts what a Writer did, in bytes and packs.
type Stats struct {
	Read   int64 // bytes taken in
	Reused int64 // of Read: found in the base, or earlier in the same object
	Stored int64 // bytes of the packs put, or found from an earlier try
	Packs  int   // packs put, or found
	Found  int64 // of Stored: found
}

// A Writer stores the files of one object: Create for each, then Finish.
// It is for one goroutine; it starts others that hash, compress and put.
type Writer struct {
	p     *packing
	open  *file // being written, or nil
	seg   *segment
	start int // of the current chunk, in seg
	split splitter
	total int64

	started bool
	hashes  chan *segment // to be hashed chunk by chunk
	sums    chan *segment // to be hashed file by file
	packq   chan *segment // to be packed, in order
}

// NewWriter returns a Writer. End it with Finish or Abort.
func NewWriter(ctx context.Context, cfg Config) *Writer { return &Writer{p: newPacking(ctx, cfg)} }

// errAborted is the error of a Writer after Abort.
var errAborted = errors.New("save aborted")

// Abort ends the Writer. Its packs stay in the store, invisible, until
// a collection deletes them or a save of the same bytes finds them.
func (w *Writer) Abort() {
	w.p.cancel(errAborted)
	if w.started {
		w.stop()
		w.p.group.Wait()
	}
	w.seg = nil
	w.p.close()
}

// stop ends the stream of segments to the goroutines.
func (w *Writer) stop() {
	close(w.hashes)
	close(w.sums)
	close(w.packq)
	w.started = false
}

// Add adds an entry without contents: a directory or a symbolic link.
func (w *Writer) Add(f manifest.File) error {
	if w.open != nil {
		return fmt.Errorf("%q added while %q is open: write one file after the other", f.Path, w.open.entry.Path)
	}
	if err := manifest.ValidPath(f.Path); err != nil {
		return err
	}
	if f.Link != "" {
		if err := manifest.ValidLink(f.Path, f.Link); err != nil {
			return err
		}
	}
	w.p.files = append(w.p.files, &file{entry: f})
	return nil
}

// Create adds a regular file and returns a writer for its contents. The caller
// closes that before it creates the next file.
func (w *Writer) Create(path string, exec bool) (*FileWriter, error) {
	if err := w.Add(manifest.File{Path: path, Exec: exec}); err != nil {
		return nil, err
	}
	w.open = w.p.files[len(w.p.files)-1]
	return &FileWriter{w, w.open}, nil
}

// FileWriter is an io.WriteCloser for the contents of one file.
type FileWriter struct {
	w *Writer
	f *file
}

var errClosed = errors.New("file is closed")

// Write implements io.Writer.
func (fw *FileWriter) Write(p []byte) (int, error) {
	w, n := fw.w, 0
	if w.open != fw.f {
		return 0, errClosed
	}
	for n < len(p) {
		room, err := w.room(len(p) - n)
		if err != nil {
			return n, err
		}
		m := copy(room, p[n:])
		w.advance(m)
		n += m
	}
	return n, nil
}

// ReadFrom implements io.ReaderFrom: it reads straight into the buffer that
// becomes the pack.
func (fw *FileWriter) ReadFrom(r io.Reader) (int64, error) {
	var n int64
	for {
		if fw.w.open != fw.f {
			return n, errClosed
		}
		room, err := fw.w.room(readSize)
		if err != nil {
			return n, err
		}
		m, err := r.Read(room[:min(len(room), readSize)])
		fw.w.advance(m)
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// readSize is how many bytes are read at a time. They are split while they are
// still in the processor's cache.
const readSize = 256 << 10

// Close ends the file.
func (fw *FileWriter) Close() error {
	w, f := fw.w, fw.f
	if w.open != f {
		return errClosed
	}
	w.open = nil
	w.split = splitter{}
	if err := context.Cause(w.p.ctx); err != nil {
		return err
	}
	if f.entry.Size == 0 {
		f.entry.SHA256 = manifest.Sum(nil)
		return nil
	}
	s := w.seg
	if w.start < s.n {
		w.cut(s.n, f)
	} else if len(s.cuts) == 0 || s.cuts[len(s.cuts)-1].file != f {
		w.cut(w.start, f) // the last chunk is in the segment before
	}
	s.cuts[len(s.cuts)-1].last = true
	return nil
}

// cut ends the current chunk at position end of the segment.
func (w *Writer) cut(end int, f *file) {
	w.seg.cuts = append(w.seg.cuts, cut{start: w.start, end: end, file: f, first: f.cuts == 0})
	f.cuts++
	w.start = end
}

// room returns free space in the current segment, at least a byte. want is
// a hint how many bytes will come.
func (w *Writer) room(want int) ([]byte, error) {
	if err := w.p.ctx.Err(); err != nil {
		return nil, context.Cause(w.p.ctx)
	}
	if w.seg == nil {
		w.seg = &segment{}
	}
	s := w.seg
	if s.n == w.p.cfg.PackSize {
		next, err := w.p.segs.get(w.p.ctx)
		if err != nil {
			return nil, err
		}
		// The bytes after the last boundary move to the next segment.
		t := &segment{buf: next}
		t.n = copy(t.buf, s.buf[w.start:s.n])
		if err := w.dispatch(); err != nil {
			return nil, err
		}
		w.seg, w.start, s = t, 0, t
	}
	if s.n == len(s.buf) { // small objects get small buffers
		size := min(max(64<<10, 4*len(s.buf), s.n+want), w.p.cfg.PackSize)
		if size > 1<<20 {
			size = w.p.cfg.PackSize
		}
		var bigger []byte
		if size == w.p.cfg.PackSize {
			err := w.p.provide(MaxPack)
			if err != nil {
				return nil, err
			}
			if bigger, err = w.p.segs.get(w.p.ctx); err != nil {
				return nil, err
			}
		} else {
			bigger = make([]byte, size)
		}
		copy(bigger, s.buf[:s.n])
		s.buf = bigger
	}
	return s.buf[s.n:], nil
}

// advance splits m bytes that were written into the space from room.
func (w *Writer) advance(m int) {
	s, f := w.seg, w.open
	w.total += int64(m)
	f.entry.Size += int64(m)
	p := s.buf[s.n : s.n+m]
	s.n += m
	pos := s.n - m
	for len(p) > 0 {
		n, end := w.split.next(p)
		pos += n
		p = p[n:]
		if end {
			w.cut(pos, f)
		}
	}
}

// dispatch sends the current segment to the goroutines that hash and pack it.
func (w *Writer) dispatch() error {
	if !w.started {
		if err := w.p.provide(w.total); err != nil {
			return err
		}
		w.begin()
	}
	s := w.seg
	w.seg, w.start = nil, 0
	if len(s.cuts) == 0 {
		return nil
	}
	s.work.Add(2)
	for _, q := range []chan *segment{w.hashes, w.sums, w.packq} {
		select {
		case q <- s:
		case <-w.p.ctx.Done():
			return context.Cause(w.p.ctx)
		}
	}
	return nil
}

// begin starts the goroutines.
func (w *Writer) begin() {
	w.started = true
	const depth = maxParallel
	w.hashes, w.sums, w.packq = make(chan *segment, depth), make(chan *segment, depth), make(chan *segment, depth)
	for range runtime.GOMAXPROCS(0) {
		w.p.group.Go(func() error {
			for s := range w.hashes {
				for i := range s.cuts {
					c := &s.cuts[i]
					c.sum = manifest.Sum(s.buf[c.start:c.end])
					if !w.p.known.Load().has(c.sum) {
						c.frame, c.tried = w.p.frames.ahead(w.p.share, s.buf[c.start:c.end])
					}
				}
				s.work.Done()
			}
			return nil
		})
	}
	w.p.group.Go(func() error {
		for s := range w.sums {
			for i := range s.cuts {
				s.cuts[i].addToFile(s.buf)
			}
			s.work.Done()
		}
		return nil
	})
	w.p.group.Go(func() error { return w.p.run(w.packq) })
}
