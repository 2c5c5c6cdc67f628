// Package chunk turns streams of bytes into chunks and packs in a store, and
// back.
//
//	files → split into chunks → hash, compress → drop what is stored already → packs → Put
//	Get ← packs or ranges of them ← chunks, decompressed, each verified ← files
//
// A chunk is the unit of comparison: some 1 MiB of a file, cut where the
// content says so, so that an insertion moves boundaries only nearby. A pack
// is the unit of storage: up to 16 MiB of chunks end to end, under a key made
// of their digests. Small chunks find what two versions share; large packs keep
// the number of requests low.
//
// A chunk is stored compressed where that pays. Its name is the digest of its
// plain bytes in any case; the manifest says how it lies in its pack.
//
// All operations share a Budget, which bounds their memory whatever the size of
// the data.
//
// The packages that save (internal/commit), load (internal/tree), copy
// (internal/replicate) and repair (internal/fsck) call this one.
//
// # Storing
//
//	writer.go    Writer: takes the files in, cuts them, starts the goroutines
//	split.go     splitter: finds the ends of chunks
//	segment.go   segment: up to 16 MiB taken in, with the cuts in it, to be hashed
//	packing.go   packing: one object being stored; lays chunks into packs. Under Writer and Copy
//	base.go      base: the version whose chunks may be reused; relocate stores some anew
//	look.go      look: is a pack of the base still in the store? several at a time, ahead
//	put.go       putter: puts one pack into the current era, or finds it there
//	repair.go    compares an existing pack, and repairs damaged bytes
//	provide.go   how much memory a Writer takes, and in which buffers
//	finish.go    Result: what a Writer has stored; small objects stay inline
//	copy.go      Copy: stores the chunks of a version of another store
//	refresh.go   Refresh: new evidence for packs, for a save that has taken long
//
// # Reading
//
//	reader.go    Reader: files as streams (Open) or by offset (ReadAt)
//	fetch.go     Fetch: many files at once, each written to a Dest
//	missing.go   Have, FetchMissing: the rest of a file that exists in part
//	table.go     OpenTable: the list of files, where it is too long for a register
//	plan.go      which spans of packs to read for some files
//	get.go       span: a stretch of one pack, read with one request and verified
//	stream.go    stream: reads spans ahead, several at a time, in order
//
// # Both
//
//	compress.go  compressor: makes a frame (a chunk as it is stored compressed), if it pays
//	stored.go    decompressor; PackID, Holds, Restored: chunks as they are stored
//	budget.go    Budget: the memory of all operations; share: that of one of them
//	buffer.go    pool: buffers of one size for one operation
//	cache.go     chunkCache: the last chunks of ReadAt
package chunk
