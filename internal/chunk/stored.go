package chunk

import (
	"crypto/sha256"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/mindtrace/registry/internal/manifest"
)

// A decompressor turns chunks as they are stored into their bytes. The zero
// value is ready; it is for one goroutine.
type decompressor struct{ dec *zstd.Decoder }

// plain returns the size bytes that the frames in stored hold, in dst if that
// has room for them. However much the frames claim to hold, they get no more
// memory than that.
func (d *decompressor) plain(dst, stored []byte, size int64) ([]byte, error) {
	if d.dec == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecoderMaxWindow(MaxChunk))
		if err != nil {
			return nil, err
		}
		d.dec = dec
	}
	if int64(cap(dst)) < size {
		dst = make([]byte, size)
	}
	b, err := d.dec.DecodeAll(stored, dst[:0:size])
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != size {
		return nil, fmt.Errorf("decompressed to %d bytes, not %d", len(b), size)
	}
	return b, nil
}

// chunk returns the bytes of a chunk that is stored in these bytes, verified.
// They are in dst, or in stored itself if it is not compressed.
func (d *decompressor) chunk(dst, stored []byte, c *manifest.Chunk) ([]byte, error) {
	b := stored
	if c.Stored > 0 {
		var err error
		if b, err = d.plain(dst, stored, c.Size); err != nil {
			return nil, err
		}
	}
	if manifest.Sum(b) != c.SHA256 {
		return nil, fmt.Errorf("it does not have its digest %s", c.SHA256)
	}
	return b, nil
}

// Holds reports whether a chunk is whole in the bytes of its pack.
func Holds(pack []byte, c manifest.Chunk) bool {
	if c.Offset+c.Len() > int64(len(pack)) {
		return false
	}
	_, err := new(decompressor).chunk(nil, pack[c.Offset:c.Offset+c.Len()], &c)
	return err == nil
}

// PackID returns the id of a pack that is made of these stretches of stored
// bytes.
func PackID(stored ...[]byte) manifest.Digest {
	sums := make([]manifest.Digest, len(stored))
	for i := range stored {
		sums[i] = manifest.Sum(stored[i])
	}
	return packID(sums)
}

// packID is the SHA-256 of the digests of what a pack is made of: its chunks
// as they are stored, in order. Where they are not compressed, the bytes are
// not hashed a second time.
func packID(sums []manifest.Digest) manifest.Digest {
	h := sha256.New()
	for i := range sums {
		h.Write(sums[i][:])
	}
	return manifest.Digest(h.Sum(nil))
}

// levels are what Restored tries, the usual one first.
var levels = []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression, zstd.SpeedBestCompression}

// minSkip is the size of the smallest frame that decoders skip: a magic number
// and the length of what follows.
const minSkip = 8

// Restored returns the bytes of a chunk as they have to be put in its place in
// a pack, which are c.Len() of them. Where it is compressed, they need not be
// the ones that were there: another version of the encoder may have made
// these. It fails if no frames of just that size can be made.
func Restored(plain []byte, c manifest.Chunk) ([]byte, error) {
	if c.Stored == 0 {
		return plain, nil
	}
	for _, level := range levels {
		b := newEncoder(level, 1).EncodeAll(plain, nil)
		if int64(len(b)) == c.Stored {
			return b, nil
		}
		if rest := c.Stored - int64(len(b)); rest >= minSkip { // filled up with a frame that is skipped
			n := rest - minSkip
			b = append(b, 0x50, 0x2a, 0x4d, 0x18, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
			return append(b, make([]byte, n)...), nil
		}
	}
	return nil, fmt.Errorf("chunk %s cannot be compressed to %d bytes again; save its version anew", c.SHA256, c.Stored)
}
