package commit

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// ErrNotExpected is the ErrConflict of an expectation, and of nothing else.
var ErrNotExpected = fmt.Errorf("%w", fault.ErrConflict)

// Expectation is which version must be the latest when a transaction commits.
type Expectation struct {
	Absent bool               // none
	Want   manifest.Version   // else this one
	Seen   bool               // the caller has looked already,
	Known  []manifest.Version // and found these versions
}

// Expected lists the versions anew, and checks that the latest is the one
// that the transaction expects. That this is still so when the version
// register is created, the number says: it is the next one of this listing.
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
