// Package ledger reads and writes the registers of a registry.
//
// A register is a small JSON body under a key of its own: a version, a tag,
// a lock, the settings. It is created if absent and changed by compare-and-swap
// only; those of versions and tags are never removed. docs/glossary.md defines the
// words, docs/protocol.md the rules. Package manifest has the formats of the
// registers; this package has the requests. Everything above it reads and writes
// registers through it: the verbs of the root package, and the packages commit, gc,
// fsck and replicate. The registers of locks are the exception; package lease has
// them.
//
// # Types
//
//   - [Ledger] is one open registry: its store, clock, settings and locks.
//   - [Ref] is a parsed reference, such as "my:model@^1.2".
//   - [Record] is a version's register as it was read, [TagRecord] that of a tag.
//     Both hold the token that a change of the register needs.
//   - [Unreadables] collects the parts that an operation skips because they
//     cannot be read.
//
// # Rules
//
// [Ledger.Write] is the only way to change a register. It finds out whether
// a write whose answer was lost has been applied. A swap that other writers win
// again and again is repeated with [Race]; a request whose outcome is unknown
// with [UntilKnown].
//
// A failure that concerns one register only is a *fault.UnreadableError.
// Listings yield it and go on; see [IsUnreadable].
//
// # Files
//
//   - ledger.go, settings.go, create.go: open a registry, or make one.
//   - probe.go: check that the store keeps its contract.
//   - memory.go: how much to transfer at the same time; the reader of files.
//   - write.go: write a register, and find out whether that was applied.
//   - unreadable.go, errors.go, missing.go: kinds of failures.
//   - ref.go, resolve.go, latest.go: from a reference to a version.
//   - objects.go, list.go, parallel.go: list objects and versions.
//   - tag.go, tagref.go, tagset.go: read, resolve, set and remove tags.
//   - tombstone.go, delete.go: delete and undelete versions.
//   - unversioned.go: what is different in an unversioned registry.
package ledger
