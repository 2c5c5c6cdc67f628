// Package manifest is the on-disk format of a registry and nothing else: the
// names and keys of objects, version numbers, and the JSON registers under
// those keys with their digests. It reads and writes no store.
//
// The format is described for other implementations in docs/format.md; the
// vectors in testdata pin it.
//
// # Layout
//
//	registry.json                     the registry's settings          [Settings]
//	objects/<name>/@/<version>.json   one register a version           [Manifest]
//	objects/<name>/@/!<mirrored>      hints at the highest versions    [MilestoneKey]
//	tags/<name>/@/<tag>.json          one register a tag               [Tag]
//	packs/<era>/<hh>/<id>             the bytes, in packs of chunks    [Pack]
//	locks/<name>/...                  locks that are or were held      [Lock]
//	gc/<nonce>                        markers of garbage collections   [Collection]
//	probe/<nonce>/...                 keys of probes, soon deleted     [ProbePrefix]
//
// Every register is a JSON object that starts with a [Head]. It is changed
// only by compare-and-swap, and every body carries a fresh nonce, so that
// equal bodies are the same write: a writer that did not hear its answer
// finds its nonce, in the body or in the list of earlier ones, and knows.
package manifest
