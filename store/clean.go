package store

import (
	"context"
	"time"
)

// Cleaner is what a Store may be besides: one where killed writers leave
// things behind that no key names.
type Cleaner interface {
	// Clean removes what writers have left that was last changed before
	// a time of the store's clock, long enough ago that none of them can be
	// at work: temporary files, empty directories. It looks where keys with
	// these prefixes are, each of which ends in its only slash, and at what is
	// beside them, but in no other directory. It goes on where something cannot
	// be removed. With dryRun it only counts.
	Clean(ctx context.Context, prefixes []string, before time.Time, dryRun bool) (Cleaned, error)
}

// Cleaned counts what Clean has removed.
type Cleaned struct {
	Files int   `json:"files"` // temporary files
	Bytes int64 `json:"bytes"` // in them
	Dirs  int   `json:"dirs"`  // empty directories
}

// Clean cleans st, if it is a Cleaner, or wraps one.
func Clean(ctx context.Context, st Store, prefixes []string, before time.Time, dryRun bool) (Cleaned, error) {
	if c, ok := find[Cleaner](st); ok {
		return c.Clean(ctx, prefixes, before, dryRun)
	}
	return Cleaned{}, nil
}
