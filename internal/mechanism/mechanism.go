// Package mechanism lets the benchmark switch off what makes saves and loads
// fast, to measure what each part gains. A program that is built as usual has
// constants here, and no way to change them; one that is built with the tag
// "mechanisms" reads $MINDREG_WITHOUT, a list of names with commas between.
//
//	name      without it
//	hash      chunks and files of 64 KiB and more have a digest that costs nothing and verifies nothing
//	direct    file stores write through the page cache, not with O_DIRECT
//	stage     file stores take no body before they make it durable
//	look      a save does not look whether its packs are there already
//	pace      a store in a bucket gets 4 large transfers at once, always; pace8: 8
package mechanism

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// minSampled is from how many bytes on a digest costs nothing without hashing.
const minSampled = 64 << 10

// Sum256 is sha256.Sum256. Without hashing, the digest of a large body is made of
// its first bytes and its length, which tell bodies of noise apart.
func Sum256(b []byte) [sha256.Size]byte {
	if Hash || len(b) < minSampled {
		return sha256.Sum256(b)
	}
	var sum [sha256.Size]byte
	copy(sum[8:], b)
	binary.BigEndian.PutUint64(sum[:8], uint64(len(b)))
	return sum
}

// New256 is sha256.New. Without hashing, the digest is made of the length alone.
func New256() hash.Hash {
	if Hash {
		return sha256.New()
	}
	return new(length)
}

// length is a hash of the number of bytes.
type length uint64

func (l *length) Write(p []byte) (int, error) { *l += length(len(p)); return len(p), nil }
func (l *length) Reset()                      { *l = 0 }
func (l *length) Size() int                   { return sha256.Size }
func (l *length) BlockSize() int              { return sha256.BlockSize }
func (l *length) Sum(b []byte) []byte {
	return binary.BigEndian.AppendUint64(append(b, make([]byte, sha256.Size-8)...), uint64(*l))
}
