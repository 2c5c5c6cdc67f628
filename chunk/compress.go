package chunk

import (
	"bytes"
	"math"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/mindtrace/registry/manifest"
)

// Whether a chunk is stored compressed (Zstandard, RFC 8878) depends on its
// bytes alone: not on the file, nor on what was saved before or at the same
// time. So the same save makes the same packs, and a file of text and weights
// is compressed where it is text.
//
// Most of what is saved does not compress, and must cost next to nothing. So
// a sample decides: if its bytes are spread about evenly over all values, as
// those of weights, images and archives are, no more is tried.
const (
	minCompress = 1 << 10 // bytes: smaller chunks are not worth a frame
	largeChunk  = 32 << 10
	sample      = 1 << 10 // bytes; of smaller chunks half
	samples     = 4       // spread over a large chunk
	maxEntropy  = 6.8     // bits a byte of the sample: 15 % less than 8
	minGain     = 10      // of a hundred: less is not worth decompressing

	// window is how far back a match may lie. The encoder's memory is some
	// twice that, for each core.
	window = 1 << 20
)

// frame is a chunk as it is stored compressed.
type frame struct {
	bytes []byte
	sum   manifest.Digest // of bytes
}

// compressor makes frames. It may be used by many goroutines. nil makes none.
type compressor struct {
	enc func() *zstd.Encoder
	out sync.Pool // of *[]byte
}

func newCompressor() *compressor {
	return &compressor{enc: sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.SpeedFastest) })}
}

func newEncoder(level zstd.EncoderLevel) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithWindowSize(window),
		zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)+1))
	if err != nil {
		panic(err) // an option that the library does not take
	}
	return e
}

// compress returns the chunk's frame, or nil if it is to be stored as it is.
func (c *compressor) compress(chunk []byte) *frame {
	if c == nil || len(chunk) < minCompress || entropy(chunk) > maxEntropy {
		return nil
	}
	out, _ := c.out.Get().(*[]byte)
	if out == nil {
		out = new([]byte)
	}
	defer c.out.Put(out)
	*out = c.enc().EncodeAll(chunk, (*out)[:0])
	if len(*out) > len(chunk)-len(chunk)*minGain/100 {
		return nil
	}
	b := bytes.Clone(*out)
	return &frame{b, manifest.Sum(b)}
}

// entropy returns how many bits a byte of a sample of the chunk carries, up to
// 8, as far as the frequencies of its bytes tell: in the middle, or on average
// in a few places of a large chunk. The chunk has at least minCompress bytes.
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
