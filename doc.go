// Package registry keeps versioned objects — models, datasets, pipelines,
// configurations — in a directory or a bucket, without a server of its own.
//
//	reg, err := registry.Open(ctx, "/srv/models", &registry.Options{Create: true})
//	v, err := reg.Save(ctx, "my:model", model)                   // 1.0.0, then 1.0.1, ...
//	model, err := registry.Load[Model](ctx, reg, "my:model@^1")
//
// # Objects and versions
//
// An object has a name, parts of letters, digits, dots and dashes joined by
// colons. Each Save makes a version of it, complete and durable when Save
// returns, that nobody sees before. A version never changes, and its number
// is never used again. Any number of processes may save and load at once.
//
// # References
//
// Where a method takes a reference, the name alone means the latest version:
// the highest release, or the highest pre-release if there are only such.
// After an @ comes which one is meant: a version (my:model@1.2.3; 1 and 1.2 are
// short for 1.0.0 and 1.2.0), the highest in a range (my:model@^1.2, my:model@1.x,
// my:model@*), latest, a digest (my:model@sha256:...), or a tag (my:model@prod),
// which [Registry.Tag] points at a version and moves to another. [Ref] has more.
// A damaged version is never passed over for the next best one: that is an
// error.
//
// # Values
//
// A materializer turns a value into files and back; package material tells
// which are built in, and how to write one. [Register] and [WithMaterializer]
// say which to use. Only its name is stored. [Registry.Object] reads the files
// of a version, whatever made them, without fetching more than is read.
//
// # Paths
//
// A [Path] is a file or directory on disk. Saving one stores its bytes, names,
// executable bits, symbolic links that stay inside, and empty directories; a
// file that is written to meanwhile is an error, and so is a link that leads
// out, unless [WithDereference] has what it leads to saved. What is mindreg's own
// in a directory is left out ([LeftOut]). Other permissions are not stored:
// [SaveReport] counts what only its owner may read.
//
// Loading to one puts things where "cp -r" would: an object that is one file
// becomes that file, or a file in it if it is a directory, or is not there and
// ends in a separator; a tree becomes that directory, or one in it, named by the
// last part of the object's name, if it exists. Directories above it are made.
// What is loaded appears complete or not at all. A file is replaced, by one that
// is complete, and its permissions stay; of a symbolic link, what it leads to is.
// A directory never is replaced, nor anything special such as a pipe or a device.
// With [WithExact] the path itself becomes the object, whatever file or directory
// is there, with permissions that are not wider than those before. The two
// change places in one step on Linux and macOS, where the file system can do
// that; elsewhere the old one is put aside first, and a crash between the two
// steps leaves nothing there until the same load is run again. What is new gets
// the permissions that the umask leaves. [LoadReport] tells where it went.
// Nothing is loaded to where a registry keeps its own files; and WithExact does not
// replace a directory that is a registry, nor one that is or holds the registry that
// is loaded from, the current directory, the home directory or a mount point.
//
// A load that is interrupted leaves what it has fetched beside that place, in a
// directory whose name begins with ".mindreg-"; run again, it fetches what is
// missing, and removes it. A directory of that name that is not this user's
// alone is not used. [Clean] removes what was left and not continued.
//
// # Many at once
//
// Savers and loaders need no lock. [WithIfLatest] and [Update] save only if
// nobody else has in the meantime. [Registry.Lock] is for work of your own that
// should not be done twice.
//
// # Deleting
//
// [Registry.Delete] can be undone for a week by [Registry.Undelete]. After eight
// days [Registry.GC], which may run at any time, frees what nothing needs any
// more. [Registry.Prune] deletes by rules. [Registry.Purge] deletes for good, and
// a day later GC frees that too.
//
// # Cache
//
// With [Options.Cache], what is read from a bucket stays on the local disk, and
// [Registry.Checkout] returns a directory there, of read-only files, that all
// programs share. With [Options.Offline] the bucket is not asked at all.
//
// # Errors
//
// Every function and method fails with an [*Error], which says what was attempted
// and wraps the reason: [ErrNotFound], [ErrExists], [ErrIntegrity] and the others
// of this package, and those of package io/fs for paths. When a context ends, the
// reason is context.Canceled or context.DeadlineExceeded and also the cause that
// was given to context.WithCancelCause and the like. Methods of an [Object] fail
// with an *fs.PathError, in which the same is found.
// Only after [ErrOutcomeUnknown] is it open whether something was done.
//
// # Trust
//
// Every byte that is read is verified against its digest. A save reuses the
// chunks of the version before without reading them; it looks whether their
// packs are there, whole by their size. [Registry.Verify] reads everything,
// and [WithoutReuse] stores anew what it has found damaged.
package registry
