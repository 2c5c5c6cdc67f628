package chunk

import (
	"bytes"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/mindtrace/registry/internal/manifest"
)

// Whether a chunk is stored compressed (Zstandard, RFC 8878) depends on its
// bytes alone: not on the file, and not on earlier or concurrent saves. So the
// same save makes the same packs, and a file of text and weights is compressed
// only where it is text.
//
// Most data does not compress, and trying must cost next to nothing. So
// a sample decides. If its bytes are spread evenly over all values, like those
// of weights, images and archives, the chunk is stored as it is.
const (
	minCompress = 1 << 10 // bytes: smaller chunks are not worth a frame
	largeChunk  = 32 << 10
	sample      = 1 << 10 // bytes; of smaller chunks half
	samples     = 4       // places in a large chunk
	maxEntropy  = 6.8     // bits for each byte of the sample: 15 % less than 8
	minGain     = 10      // percent: less is not worth the decompression

	// window is how far back a match may lie. An encoder's memory is some
	// twice that.
	window = 1 << 20
)

// frame is a chunk as it is stored compressed.
type frame struct {
	bytes []byte
	sum   manifest.Digest // of bytes
	share *share          // holds its memory, or nil
}

// drop releases the memory of a frame.
func (f *frame) drop() {
	if f != nil && f.share != nil {
		f.share.free(int64(len(f.bytes)))
		f.share = nil
	}
}

// compressor makes frames, a fixed number at a time. It may be used by many
// goroutines. A nil compressor makes no frames.
type compressor struct {
	b     *Budget
	enc   func() *zstd.Encoder
	slots chan struct{} // full while as many frames are made as allowed
}

func newCompressor(b *Budget, at int) *compressor {
	c := &compressor{b: b, slots: make(chan struct{}, at)}
	c.enc = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.SpeedFastest, at) })
	return c
}

func newEncoder(level zstd.EncoderLevel, at int) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithWindowSize(window),
		zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(at))
	if err != nil {
		panic(err) // an option that the library does not take
	}
	return e
}

// compress returns the chunk's frame, or nil if the chunk is better stored as it is.
// The caller has the memory for a frame.
func (c *compressor) compress(chunk []byte) *frame {
	if !c.mayGain(chunk) {
		return nil
	}
	c.slots <- struct{}{}
	c.b.count(perCoder)
	room := c.b.buffer(MaxChunk)
	defer func() {
		c.b.keep(room)
		c.b.count(-perCoder)
		<-c.slots
	}()
	out := c.enc().EncodeAll(chunk, room[:0])
	if len(out) > len(chunk)-len(chunk)*minGain/100 {
		return nil
	}
	b := bytes.Clone(out)
	return &frame{bytes: b, sum: manifest.Sum(b)}
}

// ahead makes a frame before it is needed, and keeps it in memory of s. If the
// memory is not free, tried is false, and the frame is made when it is needed.
func (c *compressor) ahead(s *share, chunk []byte) (f *frame, tried bool) {
	if !c.mayGain(chunk) {
		return nil, true
	}
	n := int64(len(chunk))
	if !s.tryAcquire(n) {
		return nil, false
	}
	f = c.compress(chunk)
	if f == nil {
		s.free(n)
		return nil, true
	}
	f.share = s
	s.free(n - int64(len(f.bytes)))
	return f, true
}

// mayGain reports whether a sample of the chunk says that it can be compressed.
func (c *compressor) mayGain(chunk []byte) bool {
	return c != nil && len(chunk) >= minCompress && entropy(chunk) <= maxEntropy
}

// entropy estimates how many bits each byte of the chunk carries, from 0 to 8,
// by the frequencies of the bytes in a sample: the middle of the chunk, or a few
// places of a large chunk. The chunk has at least minCompress bytes.
func entropy(chunk []byte) float64 {
	if len(chunk) < largeChunk {
		mid := len(chunk) / 2
		return entropyOf(chunk[mid-sample/4 : mid+sample/4])
	}
	var sum float64
	for i := range samples {
		at := (len(chunk) - sample) / (samples - 1) * i
		sum += entropyOf(chunk[at : at+sample])
	}
	return sum / samples
}

func entropyOf(b []byte) float64 {
	var counts [256]uint16
	for _, c := range b {
		counts[c]++
	}
	var sum float64
	for _, n := range counts {
		sum += float64(nLogN[n])
	}
	total := float64(len(b))
	return math.Log2(total) - sum/total
}

// nLogN holds n·log₂(n).
var nLogN = func() (t [sample + 1]float32) {
	for n := 2; n < len(t); n++ {
		t[n] = float32(float64(n) * math.Log2(float64(n)))
	}
	return t
}()
