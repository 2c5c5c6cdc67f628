// Package cachestore is the inside of package cache: the directory of a cache, and
// the store that reads through it. Package cache hands users a handle with the
// upkeep; what the registry does with that is here, so that it is not part of the
// public API. [Of] leads from the handle to the [Cache].
//
// Package registry calls [Cache.Wrap] when it opens a registry, or [Cache.Offline]
// if only the cache may be read, and [Cache.Tree] for checkouts. It marks the
// requests that may use the cache with [Use] or [Look]; all others, such as those
// of a verification, read the registry itself.
//
// # Layout
//
//	packs/<hh>/<id>/<offset>-<length>   bytes of a pack, of any registry
//	trees/<digest>.<bytes>/files/       a version's directory; files are read-only
//	seen/<registry>/<key>               a register as it was last read
//	tmp/                                what is being made, and room set aside
//
// Packs and trees are named by their content and never change. They are used in
// place of the registry's. Registers change: a version is deleted, a tag moves.
// While the registry can be asked, the cached ones are never used. Only the store
// of [Cache.Offline] answers with them, and its answers may be old.
//
// Everything is written to tmp and renamed into place. Nothing is flushed: damage
// after a loss of power shows by a digest or a checksum, and the bytes are read
// from the registry again.
//
// # Files
//
//	cache.go      Cache; files with a checksum
//	store.go      Wrap, Offline: stores on the cache; Use, Look
//	packs.go      stretches of packs
//	tree.go       Tree: checked-out versions
//	treecheck.go  whether a tree was changed
//	room.go       the budget, which all processes keep together
//	dir.go        the directory, and whether it can be trusted
//	admin.go      Usage, Prune, Verify
package cachestore
