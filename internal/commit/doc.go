// Package commit makes one new version of an object: the transaction behind
// a save, a copy, and the repair of a version's register.
//
// The callers are the root package (Save), replicate and fsck. A transaction
// takes these steps:
//
//  1. [New], and set the fields of [Txn]: the number asked for, the base, what
//     must be the latest version.
//  2. Store the files with a chunk.Writer or chunk.Copy of [Txn.Config]. Before
//     the first pack is put, it looks for the base, whose chunks are reused.
//  3. [Txn.Fill] puts the places of the bytes into the manifest.
//  4. [Txn.Commit] creates the register. That is the moment at which the version
//     exists. If the save took too long, Commit undoes it.
//
// The rules that make this safe beside garbage collections are in
// docs/protocol.md: a version names only packs for which it has evidence that is
// younger than a window. The package rests on ledger for registers and on chunk
// for the bytes.
//
// # Files
//
//   - txn.go: Txn and its configuration; whether the number is taken.
//   - base.go: find the version whose chunks are reused.
//   - fill.go: complete the manifest; store the tables of a large one.
//   - commit.go: create the register, choose the number, renew the evidence.
//   - expect.go: the condition on the latest version, of WithIfLatest and Update.
package commit
