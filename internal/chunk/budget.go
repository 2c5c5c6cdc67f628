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

// A Budget is the memory that the Writers, Readers and Copies that are given
// it may use for what they move, all together: the sum of their buffers is
// never more. It may be used by many goroutines.
//
// Nobody waits for memory while holding some that others wait for. An operation
// takes the least it can do with in one piece, before it has any, and for more,
// which makes it faster, only tries. Three parts are set aside, for what would
// break that rule:
//
//   - one buffer for things done with in one go, such as comparing a pack,
//     which operations need while they hold what is theirs;
//   - the chunks read last by ReadAt, which belong to no operation;
//   - the encoders, of which there are only so many.
//
// A file that is read as a stream is in the hands of somebody who may be saving
// what is read, or may never read on. It is never waited for: it gets what
// leaves enough for any other operation, or is read chunk by chunk.
//
// It does not count what is small: bodies of up to 64 KiB, and the first MiB of
// an object, which is held until it is known to be all.
type Budget struct {
	limit     int64
	main      *semaphore.Weighted
	maxAhead  int64         // of main, for files being read as streams
	reserve   chan struct{} // held while the buffer that is set aside is in use
	cache     chunkCache
	frames    *compressor
	unlimited bool

	mu     sync.Mutex
	used   int64
	peak   int64
	ahead  int64                          // of main, held by streams
	kept   map[int][]weak.Pointer[unused] // by size
	idle   int64                          // bytes of these, if the collector has none yet
	allocs int                            // buffers made
}

// unused is a buffer that nobody uses. The collector may have it.
type unused struct{ buf []byte }

const (
	smallBody = 64 << 10 // bytes that are not counted
	perCoder  = 8 << 20  // bytes of an encoder: window, tables, and what it makes
	share8th  = 8        // of the whole, for each of the encoders and the cache
)

// MinMemory is the smallest limit of a Budget, in bytes. With it, one large
// object is stored at a time.
const MinMemory = minOperation + MaxPack + 2*MaxChunk + perCoder

// minOperation is what any operation can do with: a segment being cut and the
// next, and a pack being collected; or, to copy, what is read, the same
// decompressed, and the pack. And a chunk compressed.
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

// Parallel returns how many packs one operation may put or read at once, if it
// has all the memory.
func (b *Budget) Parallel() int {
	return int(min(MaxParallel, max(1, (b.limit-MinMemory)/MaxPack)))
}

// count takes note of n more bytes in use.
func (b *Budget) count(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.peak = max(b.peak, b.used)
}

// Hold waits until n bytes, at most 3 MaxPack and a chunk, are there for the
// caller, who holds nothing else of the Budget and calls release in the end.
func (b *Budget) Hold(ctx context.Context, n int64) (release func(), err error) {
	s, err := b.take(ctx, n)
	if err != nil {
		return nil, err
	}
	return s.close, nil
}

// share is what one operation holds of a Budget.
type share struct {
	b      *Budget
	stream bool // of a file in the hands of a caller

	mu   sync.Mutex
	held int64
}

// take waits for the n bytes that an operation cannot do without.
func (b *Budget) take(ctx context.Context, n int64) (*share, error) {
	if err := b.main.Acquire(ctx, n); err != nil {
		return nil, context.Cause(ctx)
	}
	b.count(n)
	return &share{b: b, held: n}, nil
}

// try is take for a file that is in the hands of a caller, or for something
// done while other memory is held. It returns nil where it would have to wait.
func (b *Budget) try(n int64, stream bool) *share {
	s := &share{b: b, stream: stream}
	if !s.try(n) {
		return nil
	}
	return s
}

// try takes n more bytes if nobody waits for them.
func (s *share) try(n int64) bool {
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

// mayRead counts n bytes of streams, unless these are too many.
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

// close gives back what is left. Nothing of it is in use.
func (s *share) close() {
	s.mu.Lock()
	n := s.held
	s.mu.Unlock()
	s.free(n)
}

// scratch returns a buffer for something that needs no other memory to be done
// with: it is there sooner or later, whatever everybody holds.
func (b *Budget) scratch(ctx context.Context, n int) (buf []byte, release func(), err error) {
	size := class(n)
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

// class returns the size of the buffers that n bytes are put in.
func class(n int) int {
	return min(max(smallBody, 1<<bits.Len(uint(n-1))), MaxPack)
}

// buffer returns one of size bytes, which are counted already.
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
	if b.used+b.idle > b.limit { // those are of other sizes
		clear(b.kept)
		b.idle = 0
	}
	b.allocs++
	return make([]byte, size)
}

// keep takes a buffer back for the next one who wants one of its size.
func (b *Budget) keep(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	buf = buf[:cap(buf)]
	b.idle += int64(len(buf))
	b.kept[len(buf)] = append(b.kept[len(buf)], weak.Make(&unused{buf}))
}
