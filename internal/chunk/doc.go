// Package chunk turns streams of bytes into chunks and packs in a store, and
// back.
//
//	files → split into chunks → hash, compress → drop what is stored already → packs → Put
//	Get ← packs or ranges of them ← chunks, decompressed, each verified ← files
//
// A chunk is what is compared: a run of some 1 MiB of a file, cut where the
// content says so, so that an insertion moves boundaries only nearby. A pack
// is what is stored: up to 16 MiB of chunks end to end, under a key made of
// their digests. Small chunks find what two versions share; large packs keep
// the number of requests low.
//
// A chunk is stored compressed where that pays. It is known by the digest of
// its plain bytes in any case; what it lies in its pack as, the manifest says.
//
// Memory is bounded by a Budget that all who store and read share, whatever
// the size of the data.
package chunk
