package commit

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// ErrNotExpected: the latest version is not the one that the transaction expects.
// It is an ErrConflict, and no other ErrConflict is it.
var ErrNotExpected = fmt.Errorf("%w", fault.ErrConflict)

// Expectation says which version must be the latest one when a transaction
// commits.
type Expectation struct {
	Absent bool               // no version must be live
	Want   manifest.Version   // otherwise, this one must be the latest
	Seen   bool               // the caller has just listed the versions,
	Known  []manifest.Version // with this result
}

// Expected lists the versions, and returns ErrNotExpected unless the latest is the
// one that the transaction expects. With Expectation.Seen, the first call takes
// the caller's listing instead.
//
// The commit creates the number after this listing, and no other. If another
// save comes first, that number is taken, and the commit fails.
func (t *Txn) Expected(ctx context.Context) error {
	e := t.Expect
	if e.Seen {
		e.Seen, t.Known, t.Listed = false, e.Known, true
		return nil
	}
	f, known, err := t.Ledger.ResolveListed(ctx, ledger.Ref{Name: t.Name})
	t.Known, t.Listed = known, true
	switch {
	case err != nil && !errors.Is(err, fault.ErrNotFound):
		return err
	case e.Absent && err == nil:
		return fmt.Errorf("%w: the object exists, its latest version is %s", ErrNotExpected, f.Version)
	case !e.Absent && err != nil:
		return fmt.Errorf("%w: version %s is not the latest any more: %v", ErrNotExpected, e.Want, err)
	case !e.Absent && f.Version != e.Want:
		return fmt.Errorf("%w: the latest version is %s, not %s", ErrNotExpected, f.Version, e.Want)
	}
	return nil
}
