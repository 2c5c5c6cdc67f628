// Package registry keeps versioned objects — models, datasets, pipelines,
// configurations — in a directory or a bucket, without a server of its own.
//
//	reg, err := registry.Open(ctx, "/srv/models", &registry.Options{Create: true})
//	v, err := reg.Save(ctx, "my:model", model)                   // 1.0.0, then 1.0.1, ...
//	model, err := registry.Load[Model](ctx, reg, "my:model@^1")
//
// # Objects and versions
//
// An object has a name: parts of letters, digits, dots and dashes, joined by
// colons. Each Save makes a version of it. When Save returns, the version is
// complete and durable; before, no process sees it. A version never changes, and
// its number is never used again. Any number of processes may save and load at
// once.
//
// # References
//
// Where a method takes a reference, the name alone means the latest version:
// the highest release, or the highest pre-release if there are no releases.
// After an @ a reference selects another version: by its number
// (my:model@1.2.3; 1 and 1.2 are short for 1.0.0 and 1.2.0), the highest in a
// range (my:model@^1.2, my:model@1.x, my:model@*), latest, a digest
// (my:model@sha256:...), or a tag (my:model@prod), which [Registry.Tag] points
// at a version and moves to another. [Ref] lists all forms. If the version that a
// reference means is damaged, the call fails: it never takes another one instead.
//
// Save, Load and Update take option functions such as [WithVersion]. The other verbs
// take a struct of options, where nil is the default, and return a report.
// [Registry.Resolve] returns the version that a reference means now.
//
// # Values
//
// A materializer turns a value into files and back. Package material describes
// the built-in ones, and how to write one. [Register] and [WithMaterializer]
// select one. The registry stores only its name. [Registry.Object] reads the
// files of a version without a materializer, and fetches only what is read.
//
// # Paths
//
// A [Path] is a file or directory on disk. Saving one stores its bytes, names,
// executable bits, symbolic links that stay inside, and empty directories. A
// file that changes while it is saved is an error. So is a link that leads out
// of the directory, unless [WithDereference] saves its target in its place.
// Files of mindreg itself in a directory are left out ([LeftOut]). Other
// permissions are not stored: [SaveReport] counts the files that only their
// owner may read.
//
// Loading into a Path puts things where "cp -r" would, and makes missing
// directories above them:
//
//   - An object that is one file becomes the file at the path. If the path is a
//     directory or ends in a separator, it becomes a file in that directory.
//   - A tree becomes the directory at the path. If that directory exists, it
//     becomes a directory in it, named by the last part of the object's name.
//
// The content appears complete or not at all. A load replaces a file by a complete
// one and keeps its permissions; for a symbolic link it replaces the target. It
// never replaces a directory, or anything special such as a pipe or a device. New
// files get the permissions that the umask leaves. [LoadReport] says where the
// object went.
//
// With [WithExact] the object replaces the path itself, be it a file or a
// directory. The new permissions are not wider than the old ones. On Linux and
// macOS, old and new change places in one step if the file system can do that.
// Elsewhere the old one is moved aside first, and a crash between the two steps
// leaves the path empty until the same load runs again. WithExact does not replace
// a directory that is a registry, or that is or holds the registry that is loaded
// from, the current directory, the home directory or a mount point. No load writes
// to where a registry keeps its own files.
//
// An interrupted load leaves the data that it has fetched beside the destination,
// in a directory whose name begins with ".mindreg-". The same load, run again,
// fetches what is missing and removes that directory. It does not use a directory
// that another user could have written to. [Clean] removes such directories when
// no load will continue.
//
// # Concurrency
//
// Saves and loads need no lock. [WithIfLatest] and [Update] save only if no other
// version was saved meanwhile. [Registry.Lock] is for work of your own that should
// not be done twice.
//
// # Deleting
//
// [Registry.Undelete] can undo a [Registry.Delete] for a week. After eight days
// [Registry.GC], which may run at any time, frees the data that no version needs.
// [Registry.Prune] deletes by rules. [Registry.Purge] deletes for good, and GC
// frees the data of old versions a day later.
//
// # Upkeep
//
// [Registry.Verify] reads everything and reports what is damaged.
// [Registry.Repair] restores it from another registry, such as a copy that [Copy]
// made.
//
// # Cache
//
// With [Options.Cache], content that is read from a bucket stays on the local
// disk, and [Registry.Checkout] returns a directory there, of read-only files,
// that all programs share. With [Options.Offline] the registry does not ask
// the bucket at all.
//
// # Errors
//
// Every function and method fails with an [*Error], which says what was
// attempted and wraps the reason: [ErrNotFound], [ErrExists], [ErrIntegrity]
// and the others of this package, and those of package io/fs for paths. When a
// context ends, the reason is context.Canceled or context.DeadlineExceeded, and
// also the cause that was given to context.WithCancelCause and the like.
// Methods of an [Object] fail with an *fs.PathError that wraps such an error.
// Only after [ErrOutcomeUnknown] it is not known whether the operation was done.
//
// # Trust
//
// Every byte that is read is verified against its digest. A save reuses the
// chunks of the version before without reading them: it only checks that their
// packs exist and have the right size. [WithoutReuse] stores again what
// [Registry.Verify] has found damaged.
//
// # Compatibility
//
// From version 1.0.0 on, the numbers of this module follow Semantic
// Versioning. Until then any release may change anything: the changelog says
// what, and how to convert a registry.
//
// These are stable. An incompatible change of one needs a new major version:
//
//   - The API: the exported names of this package and of the other packages
//     outside internal/. Programs should name the fields of structs when they
//     set them: a minor version may add fields, options and methods. Interfaces
//     that programs implement, such as store.Store and material.Materializer,
//     get no new methods; new abilities are optional interfaces.
//   - Errors: which sentinel or type an error matches with errors.Is and
//     errors.As. A minor version may add a more specific one that still matches
//     the old.
//   - The format: every later version reads and writes registries of format 1,
//     with the same digests for the same content. A minor version may store in
//     new ways that older programs cannot read. They are optional, marked in each
//     register, and refused by an older program: it does not damage them.
//   - The command: its commands, arguments and flags, its exit codes, its JSON
//     output, and the output of commands that print one reference, path or URL a
//     line, such as save. A minor version may add commands, flags, members and
//     exit codes for what was 1 before.
//   - The environment variables that "mindreg help environment" lists, and the
//     options in URLs of stores.
//
// These may change in any release:
//
//   - Packages below internal/, and programs outside cmd/.
//   - The wording of messages, errors and logs, tables for people, and
//     everything on stderr.
//   - How many requests an operation makes, in which order, and how long it
//     takes. The changelog says when a release makes one more expensive.
//   - How content is cut, compressed and packed. Digests do not depend on it.
//   - The content of the cache and of directories that begin with ".mindreg-".
//     An older or newer program may ignore or remove them.
//   - What packages store/storetest, store/storecheck and material/materialtest
//     require of a store or a type.
//   - The oldest version of Go that compiles this module: one of the two that
//     the Go team supports.
//
// A bug fix may change behaviour that contradicts the documentation. A fix of a
// vulnerability may break any of these promises if there is no other way.
package registry
