// Package mechanism lets the benchmark switch off the parts that make saves and
// loads fast, to measure the gain of each part. In a normal build these are
// constants. A program that is built with the tag "mechanisms" reads the
// variable $MINDREG_WITHOUT, a list of names separated by commas.
//
//	name      without it
//	hash      chunks and files of 64 KiB and more have a digest that costs nothing and verifies nothing
//	direct    file stores write through the page cache, not with O_DIRECT
//	stage     file stores take no body before they make it durable
//	look      a save does not look for its packs in the store before it puts them
//	pace      a store in a bucket always gets 4 large transfers at once; pace8: 8
package mechanism

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// minSampled is the size in bytes from which a digest is replaced if hashing is
// switched off.
const minSampled = 64 << 10

// Sum256 is sha256.Sum256. Without hashing, the digest of a large body consists
// of its first bytes and its length, which distinguish bodies of random bytes.
func Sum256(b []byte) [sha256.Size]byte {
	if Hash || len(b) < minSampled {
		return sha256.Sum256(b)
	}
	var sum [sha256.Size]byte
	copy(sum[8:], b)
	binary.BigEndian.PutUint64(sum[:8], uint64(len(b)))
	return sum
}

// New256 is sha256.New. Without hashing, the digest is the length only.
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
