// Package replicate copies versions and tags from one registry to another, or
// within one. The root package calls [Copy.Run] for Copy.
//
// A copied version keeps its content and its digest. Its packs are put anew, under
// the rules of each save: the copy of a version is a transaction of package commit
// that reads its chunks from the source. Chunks that the destination has are
// reused. The package rests on ledger for registers, and on chunk for the bytes.
//
// # Files
//
//   - copy.go: which versions to copy, and the copy of one version.
//   - tags.go: the tags of the copied versions.
package replicate
