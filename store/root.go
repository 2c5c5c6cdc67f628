package store

import (
	"context"
	"errors"
)

// RootMaker is what a Store in a directory also is: it can make that directory.
// Neither Open nor any method of Store does.
type RootMaker interface {
	// MakeRoot makes the directory, and those above it, if there is none. It
	// is no error if there is one.
	MakeRoot(ctx context.Context) error
}

// MakeRoot makes the root of st, if it is a RootMaker, or wraps one.
func MakeRoot(ctx context.Context, st Store) error {
	if m, ok := find[RootMaker](st); ok {
		return m.MakeRoot(ctx)
	}
	return nil
}

// ErrNoRoot: what the store was opened on is no longer where it was: removed,
// renamed, unmounted or replaced by another. It is not ErrNotExist. Nothing
// was changed, unless the error is ErrUnknown as well. Only the same root, back
// at the same place, ends it.
var ErrNoRoot = errors.New("the store that was opened is not at its place any more")

// ErrForeign: under a key is something that no store has put there, such as
// a symbolic link. It is not followed, read or replaced.
var ErrForeign = errors.New("not put there by a registry")
