package chunk

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"sync"
	"weak"

	"golang.org/x/sync/semaphore"
)

// A Budget is a limit for the memory of all Writers, Readers and Copies that
// share it: the sum of their buffers never exceeds it. It may be used by many
// goroutines.
//
// It cannot deadlock, since no operation waits for memory while it holds some.
// An operation acquires its minimum at once, before it has anything else. For
// more memory, which makes it faster, it only tries. Three parts are set aside
// for needs that would break this rule:
//
//   - one buffer for short tasks, such as comparing a pack, which operations do
//     while they hold their memory;
//   - the chunks that ReadAt has read last, which belong to no operation;
//   - the encoders, whose number is fixed.
//
// The caller of a stream may be saving what it reads, or may never read on. So
// a stream never waits for memory, and others never wait for a stream: it gets
// memory only if enough is left for any other operation, and is read chunk by
// chunk otherwise.
//
// The Budget does not count small things: bodies of up to 64 KiB, and the first
// MiB of an object, which is held until its end or more bytes come.
type Budget struct {
	limit     int64
	main      *semaphore.Weighted
	maxAhead  int64         // bytes of main that streams may hold
	reserve   chan struct{} // full while the buffer that is set aside is in use
	cache     chunkCache
	frames    *compressor
	unlimited bool

	mu     sync.Mutex
	used   int64
	peak   int64
	ahead  int64                          // bytes of main that streams hold
	kept   map[int][]weak.Pointer[unused] // unused buffers by size
	idle   int64                          // bytes of these, unless Go's garbage collector has taken some
	allocs int                            // number of buffers made
}

// unused is a buffer for reuse. Go's garbage collector may take it.
type unused struct{ buf []byte }

const (
	smallBody = 64 << 10 // bytes that are not counted
	perCoder  = 8 << 20  // bytes of an encoder: window, tables, and what it makes
	share8th  = 8        // the encoders, and the cache, get an eighth of the limit each
)

// MinMemory is the smallest limit of a Budget, in bytes. It is enough to store
// one large object at a time.
const MinMemory = minOperation + MaxPack + 2*MaxChunk + perCoder

// minOperation is enough for any operation. A save needs the segment being cut,
// the next one, and the pack being filled; a copy needs the bytes read, the same
// decompressed, and the pack. Both need one compressed chunk.
const minOperation = 3*MaxPack + MaxChunk

// NewBudget returns a Budget of limit bytes, at least MinMemory. 0 means that
// there is no limit.
func NewBudget(limit int64) (*Budget, error) {
	b := &Budget{limit: limit, reserve: make(chan struct{}, 1), kept: map[int][]weak.Pointer[unused]{}}
	if b.unlimited = limit == 0; b.unlimited {
		b.limit = math.MaxInt64 / 2
	} else if limit < MinMemory {
		return nil, fmt.Errorf("a memory limit of %d bytes is too small: at least %d (%d MiB) are needed", limit, int64(MinMemory), MinMemory>>20)
	}
	coders := int64(runtime.GOMAXPROCS(0) + 1)
	b.cache.max = cacheChunks * MaxChunk
	if !b.unlimited {
		coders = max(1, min(coders, limit/share8th/perCoder))
		b.cache.max = min(limit/share8th, limit-minOperation-MaxPack-coders*perCoder)
	}
	main := b.limit - MaxPack - b.cache.max - coders*perCoder
	b.maxAhead = main - minOperation
	b.main = semaphore.NewWeighted(main)
	b.cache.b = b
	b.frames = newCompressor(b, int(coders))
	return b, nil
}

// Peak returns the most bytes that were in use at once.
func (b *Budget) Peak() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peak
}

// Parallel returns how many packs one operation may put or read at once if it
// has the whole Budget.
func (b *Budget) Parallel() int {
	return int(min(maxParallel, max(1, (b.limit-MinMemory)/MaxPack)))
}

// count adds n bytes to those in use.
func (b *Budget) count(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.peak = max(b.peak, b.used)
}

// Hold acquires n bytes, at most 3 MaxPack and a chunk, and waits until they
// are free. The caller must hold nothing else of the Budget, and calls release
// at the end. The error is that of ctx.
func (b *Budget) Hold(ctx context.Context, n int64) (release func(), err error) {
	s, err := b.acquire(ctx, n)
	if err != nil {
		return nil, err
	}
	return s.close, nil
}

// share is the memory of a Budget that one operation holds.
type share struct {
	b      *Budget
	stream bool // it belongs to a stream that a caller reads

	mu   sync.Mutex
	held int64
}

// acquire reserves the minimum of an operation, n bytes, and waits until they are
// free.
func (b *Budget) acquire(ctx context.Context, n int64) (*share, error) {
	if err := b.main.Acquire(ctx, n); err != nil {
		return nil, context.Cause(ctx)
	}
	b.count(n)
	return &share{b: b, held: n}, nil
}

// tryAcquire is acquire without waiting, for a stream that a caller reads, or
// for a task that is done while other memory is held. It returns nil if the
// memory is not free.
func (b *Budget) tryAcquire(n int64, stream bool) *share {
	s := &share{b: b, stream: stream}
	if !s.tryAcquire(n) {
		return nil
	}
	return s
}

// tryAcquire reserves n more bytes if they are free and no operation waits for them.
func (s *share) tryAcquire(n int64) bool {
	if s.stream && !s.b.mayRead(n) {
		return false
	}
	if !s.b.main.TryAcquire(n) {
		if s.stream {
			s.b.mayRead(-n)
		}
		return false
	}
	s.b.count(n)
	s.mu.Lock()
	s.held += n
	s.mu.Unlock()
	return true
}

// mayRead counts n more bytes of streams. It reports false if they are too
// many.
func (b *Budget) mayRead(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ahead+n > b.maxAhead {
		return false
	}
	b.ahead += n
	return true
}

// free gives n bytes back.
func (s *share) free(n int64) {
	s.mu.Lock()
	s.held -= n
	s.mu.Unlock()
	s.b.count(-n)
	if s.stream {
		s.b.mayRead(-n)
	}
	s.b.main.Release(n)
}

// close gives back the rest, which must not be in use any more.
func (s *share) close() {
	s.mu.Lock()
	n := s.held
	s.mu.Unlock()
	s.free(n)
}

// tempBuffer returns a buffer for a short task that needs no other memory. It may
// wait, but never for ever, whatever the operations hold: they use the buffer
// that is set aside one after the other.
func (b *Budget) tempBuffer(ctx context.Context, n int) (buf []byte, release func(), err error) {
	size := bufferSize(n)
	var back func()
	if b.main.TryAcquire(int64(size)) {
		back = func() { b.main.Release(int64(size)) }
	} else {
		select {
		case b.reserve <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
		back = func() { <-b.reserve }
	}
	b.count(int64(size))
	buf = b.buffer(size)
	return buf, func() {
		b.keep(buf)
		b.count(-int64(size))
		back()
	}, nil
}

// bufferSize returns the size of the buffer for n bytes: a power of two from
// smallBody to MaxPack.
func bufferSize(n int) int {
	return min(max(smallBody, 1<<bits.Len(uint(n-1))), MaxPack)
}

// buffer returns a buffer of size bytes, which are counted already.
func (b *Budget) buffer(size int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for list := b.kept[size]; len(list) > 0; list = b.kept[size] {
		k := list[len(list)-1].Value()
		b.kept[size] = list[:len(list)-1]
		b.idle -= int64(size)
		if k != nil {
			return k.buf
		}
	}
	if b.used+b.idle > b.limit { // the idle buffers have other sizes
		clear(b.kept)
		b.idle = 0
	}
	b.allocs++
	return make([]byte, size)
}

// keep takes a buffer back, to use it again for the same size.
func (b *Budget) keep(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	buf = buf[:cap(buf)]
	b.idle += int64(len(buf))
	b.kept[len(buf)] = append(b.kept[len(buf)], weak.Make(&unused{buf}))
}
