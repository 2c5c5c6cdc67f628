// Package tree shows one version of an object as files: as an fs.FS that
// fetches what is read, and as files that a load writes to the disk.
//
// Package registry is its only caller. It resolves a reference to a manifest,
// makes an [FS] of it with [New], and hands that to a materializer, or calls
// [FS.Extract] (Load into a Path) or [FS.WriteTree] (Checkout). [Clean] removes
// what interrupted loads have left.
//
// [FS.Extract] takes these steps:
//
//  1. It finds the destination, as "cp -r" would, and refuses what is certain
//     to fail, before anything is fetched.
//  2. It makes a directory beside the destination, or takes over the one that
//     an interrupted load of the same object has left.
//  3. It removes from that what does not belong there, keeps the files that
//     have their digests, and fetches the rest.
//  4. It renames the result to the destination, in one step where the system
//     can exchange two directories.
//
// Other users may write to the directory above the destination. Everything that
// is opened, is opened in a directory that is held open, and checked for its
// owner; see packages beneath and localfs.
//
//	fs.go           FS: Open, Stat, ReadDir, ReadLink
//	file.go         its open files and directories
//	index.go        entries by path, symbolic links followed
//	extract.go      Extract and WriteTree: the steps of a load to the disk
//	destination.go  where the object goes, and what must not be replaced
//	partial.go      the directory in which a load grows: its name, owner, lock
//	tidy.go         what of an earlier load can stay, and its permissions
//	resume.go       which bytes of it are there already
//	put.go          from there to the destination; permissions of what is replaced
//	room.go         whether the disk has room
//	clean.go        Clean
//	settings.go     whether a directory is a registry
package tree
