package chunk

import (
	"hash"
	"sync"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/mechanism"
)

// segment is a part of the concatenated files, up to the size of a pack.
type segment struct {
	buf  []byte
	n    int // bytes filled
	cuts []cut
	work sync.WaitGroup // goroutines that hash it
}

// cut is one chunk in a segment. An empty cut ends a file whose last chunk is
// in an earlier segment.
type cut struct {
	start, end  int
	file        *file
	first, last bool // of the file
	sum         manifest.Digest
	tried       bool   // the compressor has decided whether to compress it
	frame       *frame // the compressed chunk, or nil
}

// file is a file being stored.
type file struct {
	entry manifest.File
	hash  hash.Hash // of files of several chunks
	cuts  int
}

// addToFile hashes the cut as part of its file. The digest of a file of one
// chunk is that of the chunk.
func (c *cut) addToFile(buf []byte) {
	if c.first && c.last {
		return
	}
	f := c.file
	if f.hash == nil {
		f.hash = mechanism.New256()
	}
	f.hash.Write(buf[c.start:c.end])
	if c.last {
		f.entry.SHA256 = manifest.Digest(f.hash.Sum(nil))
		f.hash = nil
	}
}
