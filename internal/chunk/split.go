package chunk

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/mindtrace/registry/internal/manifest"
)

// Sizes of chunks, in bytes. Versions share chunks only if all writers use the
// same sizes and the same gear table. A reader accepts any cuts.
const (
	MinChunk = 256 << 10
	AvgChunk = 1 << 20
	MaxChunk = manifest.MaxChunk
)

// A chunk ends where the rolling hash is below a threshold. The threshold is
// low before the average size and high after it, so that sizes vary less. This is
// FastCDC with normalized chunking of level 2 (Xia et al., "FastCDC: a Fast
// and Efficient Content-Defined Chunking Approach for Data Deduplication",
// USENIX ATC 2016), except that it looks at the hash's top bits, which depend
// on the last 64 bytes, in place of a mask.
const (
	hardBits = 22 // one position in 2²², before AvgChunk
	easyBits = 18 // one position in 2¹⁸, after it

	hard = 1 << (64 - hardBits)
	easy = 1 << (64 - easyBits)
)

// gear maps a byte to 64 random bits: the first eight bytes, big endian, of
// the SHA-256 of "mindtrace/registry gear" and the byte.
var gear = func() (t [256]uint64) {
	for i := range t {
		sum := sha256.Sum256(append([]byte("mindtrace/registry gear"), byte(i)))
		t[i] = binary.BigEndian.Uint64(sum[:])
	}
	return t
}()

// A splitter finds the ends of the chunks of one stream, piece by piece.
// The zero value stands at the start of a stream.
type splitter struct {
	n    int    // bytes of the current chunk so far
	hash uint64 // rolling hash of its last 64 bytes, from MinChunk on
}

// next looks for the end of the current chunk in p, the next bytes of the
// stream. It returns how many bytes of p belong to the chunk, and whether the
// chunk ends there; if not, all of p belongs to it.
func (s *splitter) next(p []byte) (n int, end bool) {
	i := 0
	if s.n < MinChunk { // no chunk ends before that, so there is nothing to hash
		i = min(MinChunk-s.n, len(p))
	}
	h, table := s.hash, &gear
	for _, stage := range [2]struct {
		to    int
		below uint64
	}{{AvgChunk, hard}, {MaxChunk, easy}} {
		stop := min(stage.to-s.n, len(p))
		if i >= stop {
			continue
		}
		below := stage.below
		for ; stop-i >= block; i += block {
			last, hit := scanBlock((*[block]byte)(p[i:]), h, below)
			if hit {
				break // find the position in this block
			}
			h = last
		}
		for j, c := range p[i:stop] {
			h = h<<1 + table[c]
			if h < below {
				*s = splitter{}
				return i + j + 1, true
			}
		}
		i = stop
	}
	if s.n += i; s.n == MaxChunk {
		*s = splitter{}
		return i, true
	}
	s.hash = h
	return i, false
}

// The hash at one position needs the hash before it, so a processor could not
// work on several at once. But a hash depends on the last 64 bytes only. So four
// stretches of a block are hashed side by side.
const (
	stretch = 1 << 10
	block   = 4 * stretch
)

// scanBlock reports whether the hash is below a threshold anywhere in a block.
// h is the hash before it; the one at its end is returned.
func scanBlock(p *[block]byte, h, below uint64) (last uint64, hit bool) {
	table := &gear
	h0, h1, h2, h3 := h, warm(p, 1), warm(p, 2), warm(p, 3)
	p0, p1 := (*[stretch]byte)(p[:]), (*[stretch]byte)(p[stretch:])
	p2, p3 := (*[stretch]byte)(p[2*stretch:]), (*[stretch]byte)(p[3*stretch:])
	for i := range stretch {
		h0 = h0<<1 + table[p0[i]]
		h1 = h1<<1 + table[p1[i]]
		h2 = h2<<1 + table[p2[i]]
		h3 = h3<<1 + table[p3[i]]
		if h0 < below || h1 < below || h2 < below || h3 < below {
			return 0, true
		}
	}
	return h3, false
}

// warm returns the hash before a stretch.
func warm(p *[block]byte, number int) (h uint64) {
	for _, c := range p[number*stretch-64 : number*stretch] {
		h = h<<1 + gear[c]
	}
	return h
}
