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
	pool   *pool
	wg     sync.WaitGroup
}

// job is one span of a stream.
type job struct {
	*span
	body []byte
	buf  []byte // to be put back
	err  error
	done chan struct{}

	frames []*frame // of its parts, where they are to be stored anew
}

// startStream starts reading the spans with up to gets requests at a time and
// up to buffers buffers. each, if not nil, is called for each span that was
// read and verified, at once from several goroutines.
func startStream(ctx context.Context, st store.Store, spans []span, gets, buffers int, each func(*job) error) *stream {
	s := &stream{pool: newPool(buffers), queue: make(chan *job, buffers)}
	raw := newPool(gets) // for what is decompressed into the others
	s.ctx, s.cancel = context.WithCancel(ctx)
	slots := make(chan struct{}, gets)
	s.wg.Go(func() {
		defer close(s.queue)
		for i := range spans {
			j := &job{span: &spans[i], done: make(chan struct{})}
			if max(j.size, j.plain) > 64<<10 { // else the store makes one of the right size
				buf, err := s.pool.get(s.ctx)
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
				var in []byte
				if j.packed && j.size > 64<<10 {
					if in, j.err = raw.get(s.ctx); j.err != nil {
						return
					}
					defer raw.put(in)
				}
				j.body, j.err = j.get(s.ctx, st, j.buf, in)
				if j.err == nil && each != nil {
					j.err = each(j)
				}
			})
		}
	})
	return s
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

// release gives the memory of a span back.
func (s *stream) release(j *job) {
	if j.buf != nil {
		s.pool.put(j.buf)
		j.buf, j.body = nil, nil
	}
}

// close ends the stream and waits until nothing of it is under way.
func (s *stream) close() {
	s.cancel()
	s.wg.Wait()
}
