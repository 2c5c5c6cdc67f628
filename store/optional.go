package store

import (
	"context"
	"iter"
	"time"
)

// Optional interfaces: what a Store may offer in addition to its six methods.
// This file has all of them. A backend leaves out what its medium does not
// need.
//
//	interface    what it is for                             who has it             how it is reached
//	BucketMaker  makes the bucket                           s3store, gcsstore      As
//	RootMaker    makes the directory                        filestore              As
//	Anchorer     checks one key with every call             filestore              As
//	Inspector    reports its place and harmful settings     all but memstore       As
//	Shared       finds files that are not keys              filestore              As
//	Flusher      makes the puts of other processes durable  filestore              Flush, which uses As
//	Cleaner      removes the leftovers of killed writers    filestore              As
//	Pruner       removes empty directories                  filestore              As
//	Reserver     keeps room for deletions                   filestore              As
//	Picker       lists the highest keys cheaply             filestore              As
//	KeyLister    lists keys without their Infos             filestore, s3store     Keys
//	Stager       takes a body before it makes it durable    filestore              Stage
//
// As goes through wrappers, such as those of retries and of the log, to the
// store that has the interface: no wrapper adds anything to these calls.
//
// KeyLister and Stager are different. Their methods are requests like List and
// Put, and a wrapper has to see them in order to repeat, record or fail them.
// So Keys and Stage ask the outermost store only. A wrapper may implement the
// method, and then treats it as it treats List or Put. A wrapper without the
// method, such as tracestore or faultstore, gets a List or a Put instead.

// As returns s as a T if it is one, and otherwise the first store below it
// that is one. A store that wraps another has a method Unwrap() Store.
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
	// MakeBucket makes the bucket. It succeeds if the caller owns the bucket
	// already.
	MakeBucket(ctx context.Context) error
}

// RootMaker is an optional interface of stores in a directory. Neither Open
// nor any method of Store makes that directory.
type RootMaker interface {
	// MakeRoot makes the directory and its parents. It succeeds if the
	// directory exists already.
	MakeRoot(ctx context.Context) error
}

// Anchorer is an optional interface of stores that can check one key with
// every call, at next to no cost.
type Anchorer interface {
	// Anchor makes every later call fail with ErrNoRoot unless key exists and
	// check accepts its body. check is called whenever the body has changed.
	Anchor(key string, check func(body []byte) error)
}

// Inspector is an optional interface of stores that can describe themselves:
// where they are, whose credentials they use, and which settings of the place
// would hurt a registry, such as rules that delete objects by age.
type Inspector interface {
	// Inspect returns facts for people to read. A setting that cannot be read
	// for lack of permission is a Fact that says so, not an error.
	Inspect(ctx context.Context) ([]Fact, error)
}

// Fact is one thing that a store reports about itself or its place, for people
// to read.
type Fact struct {
	Name  string `json:"name"` // "endpoint", "credentials", ...
	Value string `json:"value"`
	// Warning says why this would hurt a registry, and what to do about it;
	// empty if it does not.
	Warning string `json:"warning,omitempty"`
}

// Shared is an optional interface of stores whose place can hold files that
// are not keys. No listing shows them.
type Shared interface {
	// Foreign returns the name of a file that does not belong to the store, or
	// "". Files that operating systems leave everywhere do not count.
	Foreign(ctx context.Context) (string, error)
}

// Flusher is an optional interface of stores that show a put before it is
// durable. A caller that relies on a key that it did not put itself, or whose
// put was refused, flushes the key first: the process that put it may have
// been killed before its own flush.
type Flusher interface {
	// Flush returns once what Get and Stat show of key is durable. It succeeds
	// if the key is absent.
	Flush(ctx context.Context, key string) error
}

// Flush makes key durable on any store. It does nothing on a store that is not
// a Flusher.
func Flush(ctx context.Context, s Store, key string) error {
	if f, ok := As[Flusher](s); ok {
		return f.Flush(ctx, key)
	}
	return nil
}

// Cleaner is an optional interface of stores in which killed writers leave
// files and directories that no listing shows.
type Cleaner interface {
	// Clean removes the leftovers of writers, which are temporary files and
	// empty directories, if they were last changed before a time of the
	// store's clock. The caller chooses a time so long ago that no writer of
	// then can still be at work. Clean looks in the top directory and in those
	// of the prefixes, each of which ends in its only slash, and in no other.
	// It continues after something that cannot be removed. With dryRun it only
	// counts.
	Clean(ctx context.Context, prefixes []string, before time.Time, dryRun bool) (Cleaned, error)
}

// Cleaned counts what Clean has removed.
type Cleaned struct {
	Files int   `json:"files"` // temporary files
	Bytes int64 `json:"bytes"` // in them
	Dirs  int   `json:"dirs"`  // empty directories
}

// Pruner is an optional interface of stores in which a put makes directories
// that stay when the keys are deleted.
type Pruner interface {
	// Prune removes the empty directories below a prefix that ends in a slash,
	// the directory of the prefix, and its parents. It removes no key. A Put
	// that needs one of the directories makes it again.
	Prune(ctx context.Context, prefix string) error
}

// Reserver is an optional interface of stores whose medium can be full. A
// deletion needs a little room too, and must not fail for lack of it, so the
// store keeps some aside. See Freeing.
type Reserver interface {
	// Reserve sets room aside, or as much as the medium has left. It does
	// nothing if enough is set aside already.
	Reserve(ctx context.Context) error
}

// Picker is an optional interface of stores that can list the highest keys as
// cheaply as the lowest. They follow the hint Highest.
type Picker interface{ PicksHighest() }

// KeyLister is an optional interface of stores that can list keys more cheaply
// than keys with their Infos. See Keys.
type KeyLister interface {
	// Keys yields the keys that List yields, in the same order and as
	// complete, with the same errors. It returns nil if List costs no more.
	Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error]
}

// Stager is an optional interface for stores where syncing is slower than
// receiving. The caller has its memory back early, and the store syncs several
// bodies at a time.
//
// The promises stay the same: a staged body is invisible until Commit, and
// Commit promises what Put promises. See Stage.
type Stager interface {
	// Stage takes in the body of a new key. The body may be changed once Stage
	// has returned. A nil Staged means that the caller should use a plain Put.
	Stage(ctx context.Context, key string, body []byte) (Staged, error)
}

// Staged is a body that has no key yet. It is for one goroutine.
type Staged interface {
	// Commit is a Put of the body under key with Absent: it has the same
	// effects, results and errors. It may be repeated like a Put, also with
	// another key than that of Stage. If a flush has failed, every later
	// Commit fails: a second flush of the same bytes proves nothing.
	Commit(ctx context.Context, key string) (Info, error)

	// Discard releases the body. A committed key stays.
	Discard()
}
