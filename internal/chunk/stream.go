package chunk

import (
	"context"
	"io"
	"sync"

	"github.com/mindtrace/registry/store"
)

// stream reads spans ahead, several at a time, and hands them out in order.
type stream struct {
	ctx    context.Context
	cancel context.CancelFunc
	queue  chan *job
	bufs   *pool
	raws   *pool // buffers for stored bytes, which are decompressed into the others
	wg     sync.WaitGroup
	ended  func() // releases the memory, or nil
}

// job is one span of a stream.
type job struct {
	*span
	body []byte
	buf  []byte // goes back to the pool
	err  error
	done chan struct{}

	frames []ahead // frames of its parts, if these are stored anew
}

// ahead is a frame that may have been made before it is wanted.
type ahead struct {
	frame *frame // or nil
	tried bool
}

// reading is the memory and the parallelism with which spans are read.
type reading struct {
	size, rawSize int // bytes of a buffer for a span, and for its compressed form; 0: no buffers needed
	gets          int // requests at a time
	max           func() int

	bufs, raws *pool
}

// plan returns what is needed to read the spans with up to gets requests at
// a time and up to buffers buffers.
func plan(spans []span, gets int, buffers func() int) *reading {
	r := &reading{gets: gets, max: buffers}
	for i := range spans {
		s := &spans[i]
		if s.buffered() {
			r.size = max(r.size, bufferSize(int(min(max(s.size, s.plain), MaxPack))))
		}
		if s.packed && s.size > smallBody {
			r.rawSize = max(r.rawSize, bufferSize(int(min(s.size, MaxPack))))
		}
	}
	return r
}

// least returns the minimum memory to read, in bytes.
func (r *reading) least() int64 { return int64(r.size + r.rawSize) }

// open makes the buffers from a share that was acquired with least.
func (r *reading) open(s *share) {
	r.bufs = newPool(s, r.size, 1, r.max)
	r.raws = newPool(s, r.rawSize, 1, r.max)
}

// buffered reports whether the span is read into a buffer of the pool. For
// small spans the store makes a buffer. A span whose file may have to be read
// again always has one.
func (s *span) buffered() bool { return s.unverified || max(s.size, s.plain) > smallBody }

// startStream starts reading the spans. Several goroutines call each, if it is
// not nil, for the spans that were read and verified.
func startStream(ctx context.Context, st store.Store, spans []span, with *reading, each func(*job) error) *stream {
	s := &stream{bufs: with.bufs, raws: with.raws, queue: make(chan *job, maxParallel)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	slots := make(chan struct{}, with.gets)
	s.wg.Go(func() {
		defer close(s.queue)
		for i := range spans {
			j := &job{span: &spans[i], done: make(chan struct{})}
			if j.buffered() {
				buf, err := s.bufs.get(s.ctx)
				if err != nil {
					return
				}
				j.buf = buf
			}
			select {
			case slots <- struct{}{}:
			case <-s.ctx.Done():
				return
			}
			select {
			case s.queue <- j:
			case <-s.ctx.Done():
				return
			}
			s.wg.Go(func() {
				defer func() { <-slots }()
				defer close(j.done)
				j.body, j.err = s.read(s.ctx, st, j.span, j.buf)
				if j.err == nil && each != nil {
					j.err = each(j)
				}
			})
		}
	})
	return s
}

// read reads a span into buf.
func (s *stream) read(ctx context.Context, st store.Store, what *span, buf []byte) ([]byte, error) {
	var raw []byte
	if what.packed && what.size > smallBody {
		var err error
		if raw, err = s.raws.get(ctx); err != nil {
			return nil, err
		}
		defer s.raws.put(raw)
	}
	return what.get(ctx, st, buf, raw)
}

// next returns the next span, or io.EOF after the last.
func (s *stream) next() (*job, error) {
	j, ok := <-s.queue
	if !ok {
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	<-j.done
	return j, j.err
}

// release puts the buffer of a span back.
func (s *stream) release(j *job) {
	if j.buf != nil {
		s.bufs.put(j.buf)
		j.buf, j.body = nil, nil
	}
}

// close ends the stream and waits for its goroutines.
func (s *stream) close() {
	s.cancel()
	s.wg.Wait()
	if s.ended != nil {
		s.ended()
		s.ended = nil
	}
}
