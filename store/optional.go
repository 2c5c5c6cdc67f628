package store

import (
	"context"
	"iter"
	"time"
)

// Optional interfaces: what a Store may offer besides the six methods. This
// file has all of them. A backend leaves out what its medium does not need.
//
//	interface    what it is for                             who has it             how it is reached
//	BucketMaker  makes the bucket                           s3store, gcsstore      As
//	RootMaker    makes the directory                        filestore              As
//	Anchorer     looks at one key with every call           filestore              As
//	Inspector    tells where it is, and what would hurt it  all but memstore       As
//	Shared       finds files that are no keys               filestore              As
//	Flusher      makes durable what others have put         filestore              Flush, which uses As
//	Cleaner      removes what killed writers leave          filestore              As
//	Pruner       removes empty directories                  filestore              As
//	Reserver     keeps room for deletions                   filestore              As
//	Picker       lists the highest keys as cheaply          filestore              As
//	KeyLister    lists keys without their Infos             filestore, s3store     Keys
//	Stager       takes a body before it makes it durable    filestore              Stage
//
// As goes through wrappers, such as those of retries and of the log, to the
// store that has the interface: no wrapper has anything to add to these calls.
//
// KeyLister and Stager are requests of the same kind as List and Put, and
// a wrapper has to see them: to repeat them, to write them down, to fail on
// purpose. So Keys and Stage ask the outermost store alone. A wrapper either
// has the method too, and then does for it what it does for List or Put, or
// it has not, as tracestore and faultstore, and then gets a List or a Put.

// As returns s as a T, if it is one, or the first store that s wraps which is
// one. A store that wraps another has a method Unwrap() Store.
func As[T any](s Store) (T, bool) {
	for {
		if t, ok := s.(T); ok {
			return t, true
		}
		w, ok := s.(interface{ Unwrap() Store })
		if !ok {
			var zero T
			return zero, false
		}
		s = w.Unwrap()
	}
}

// BucketMaker is an optional interface of stores in a bucket. Open never makes
// the bucket.
type BucketMaker interface {
	// MakeBucket makes the bucket. It is no error if the caller has it
	// already.
	MakeBucket(ctx context.Context) error
}

// RootMaker is an optional interface of stores in a directory. Neither Open
// nor any method of Store makes that directory.
type RootMaker interface {
	// MakeRoot makes the directory, and those above it, if there is none. It
	// is no error if there is one.
	MakeRoot(ctx context.Context) error
}

// Anchorer is an optional interface of stores that can look at one key with
// every call, at next to no cost.
type Anchorer interface {
	// Anchor makes every later call fail with ErrNoRoot unless key exists and
	// check, which gets its body whenever that has changed, returns nil.
	Anchor(key string, check func(body []byte) error)
}

// Inspector is an optional interface of stores that can tell about themselves:
// where they are, whose credentials they use, and which settings of the place
// would hurt a registry, such as rules that delete objects by age. What cannot
// be found out, for lack of permission, is a Fact that says so.
type Inspector interface {
	Inspect(ctx context.Context) ([]Fact, error)
}

// Fact is something that a store knows about itself or about its place, for
// people to read.
type Fact struct {
	Name  string `json:"name"` // "endpoint", "credentials", ...
	Value string `json:"value"`
	// Warning says why this would hurt a registry, and what to do about it;
	// empty if it does not.
	Warning string `json:"warning,omitempty"`
}

// Shared is an optional interface of stores whose place can hold files that
// are no keys, and so are in no listing.
type Shared interface {
	// Foreign returns the name of a file that is not the store's, or "". Files
	// that systems leave everywhere do not count.
	Foreign(ctx context.Context) (string, error)
}

// Flusher is an optional interface of stores that show a put before it is
// durable. A caller that builds on a key without having put it, or after its
// put was refused, flushes the key first: the process that has put it may have
// been killed before it could.
type Flusher interface {
	// Flush returns once what Get and Stat show of key is durable. An absent
	// key is no error.
	Flush(ctx context.Context, key string) error
}

// Flush flushes key on any store. One that is no Flusher has nothing to do.
func Flush(ctx context.Context, s Store, key string) error {
	if f, ok := As[Flusher](s); ok {
		return f.Flush(ctx, key)
	}
	return nil
}

// Cleaner is an optional interface of stores in which killed writers leave
// things that no key names.
type Cleaner interface {
	// Clean removes what writers have left and was last changed before a time
	// of the store's clock, long enough ago that none of them can be at work:
	// temporary files, empty directories. It looks at keys with these prefixes,
	// each of which ends in its only slash, and at what is beside them, but in
	// no other directory. It goes on after something that cannot be removed.
	// With dryRun it only counts.
	Clean(ctx context.Context, prefixes []string, before time.Time, dryRun bool) (Cleaned, error)
}

// Cleaned counts what Clean has removed.
type Cleaned struct {
	Files int   `json:"files"` // temporary files
	Bytes int64 `json:"bytes"` // in them
	Dirs  int   `json:"dirs"`  // empty directories
}

// Pruner is an optional interface of stores in which keys make directories,
// which stay when the keys are deleted.
type Pruner interface {
	// Prune removes the empty directories below a prefix that ends in a slash,
	// its own, and those above it. It removes no key. A Put that needs one of
	// them makes it again.
	Prune(ctx context.Context, prefix string) error
}

// Reserver is an optional interface of stores that can be full. Deleting takes
// room too, and must not fail for lack of it, so they keep some. See Freeing.
type Reserver interface {
	// Reserve sets room aside, or as much of it as there is. It does nothing
	// where there is enough.
	Reserve(ctx context.Context) error
}

// Picker is an optional interface of stores that can list the highest keys as
// cheaply as the lowest. They heed Highest.
type Picker interface{ PicksHighest() }

// KeyLister is an optional interface of stores that can list keys more cheaply
// than keys with their Infos. See Keys.
type KeyLister interface {
	// Keys yields the keys that List yields, in the same order and as
	// complete, with the same errors. It returns nil if List serves as well.
	Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error]
}

// Stager is an optional interface of stores that need much longer to make
// a body durable than to take it in. The caller has its memory back early, and
// the store has several bodies at a time to make durable.
//
// Nothing but the moment changes: what is staged is invisible until Commit,
// and Commit promises what Put promises. See Stage.
type Stager interface {
	// Stage takes in the body of a new key. It returns nil if a plain Put
	// serves as well. The body may be changed once it has returned.
	Stage(ctx context.Context, key string, body []byte) (Staged, error)
}

// Staged is a body that has no key yet. It is for one goroutine.
type Staged interface {
	// Commit is a Put of the body under key with Absent, in its effects and in
	// what it returns. It may be repeated as a Put may, also for another key
	// than that of Stage. A flush that has failed once fails for good: what
	// a second one says of the same bytes is worth nothing.
	Commit(ctx context.Context, key string) (Info, error)

	// Discard lets go of the body. What was committed stays.
	Discard()
}
