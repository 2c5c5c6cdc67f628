// Package manifest is the on-disk format of a registry and nothing else: the
// names and keys of objects, and the JSON registers under those keys. It encodes,
// decodes and checks them, and never reads or writes a store. Package ledger
// does that; packages chunk, lease and gc use its types, too.
//
// The page docs/format.md describes the format for other implementations; the
// vectors in testdata pin it. The words (register, nonce, pack, era, ...) are in
// docs/glossary.md, the attacks that comments cite (A7) in docs/attacks.md.
//
// # Layout
//
//	registry.json                     the registry's settings          [Settings]
//	objects/<name>/@/<version>.json   one register a version           [Manifest]
//	objects/<name>/@/!<mirrored>      hints to the highest versions    [MilestoneKey]
//	tags/<name>/@/<tag>.json          one register a tag               [Tag]
//	packs/<era>/<hh>/<id>             the bytes, in packs of chunks    [Pack]
//	locks/<name>/...                  locks, held or free              [Lock]
//	gc/<nonce>                        markers of garbage collections   [Collection]
//	probe/<nonce>/...                 keys of probes, soon deleted     [ProbePrefix]
//
// # Registers
//
// Every register is a JSON object that starts with a [Head]. It is changed only by
// compare-and-swap. Every body has a fresh nonce, so no two writes have equal
// bodies. A writer whose answer was lost reads the register: if its nonce is the
// present one or in the list of earlier ones, the write was applied.
//
// Decoders check everything that one register can show, and bound the memory that
// they take: whoever can write to the store can write any body. Errors are
// [ErrCorrupt], or [ErrNewer] where a newer program wrote the register.
//
// # Files
//
//	head.go       Head, nonces, encoding and decoding of every register
//	feature.go    features that a register requires of its readers
//	limits.go     the limits of the format, and the memory that decoding takes
//
//	key.go        names, keys, packs
//	version.go    Version, from package version
//	milestone.go  keys of milestones
//	digest.go     Digest and Nonce
//
//	manifest.go   Manifest, the register of a version
//	file.go       its files, paths and links
//	content.go    its content in canonical form, which the digest is made of
//	number.go     numbers in metadata that a double cannot hold
//	placement.go  where its chunks are
//	purged.go     what is left of it after a purge
//	table.go      its table, if the files do not fit the register
//	tableread.go  tables, decoded piece by piece
//
//	settings.go   Settings, Times
//	tag.go        Tag
//	lock.go       Lock
//	collection.go Collection
package manifest
