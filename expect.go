package registry

import (
	"context"
	"errors"
	"fmt"
)

// errNotExpected is the ErrConflict of an expectation, and of nothing else.
var errNotExpected = fmt.Errorf("%w", ErrConflict)

// expectation is which version must be the latest when a transaction commits.
type expectation struct {
	absent bool      // none
	want   Version   // else this one
	seen   bool      // the caller has looked already,
	known  []Version // and found these versions
}

// expected lists the versions anew, and checks that the latest is the one
// that the transaction expects. That this is still so when the version
// register is created, the number says: it is the next one of this listing.
func (t *txn) expected(ctx context.Context) error {
	e := t.expect
	if e.seen {
		e.seen, t.known, t.listed = false, e.known, true
		return nil
	}
	f, known, err := t.r.resolveListed(ctx, xref{Name: t.name})
	t.known, t.listed = known, true
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case e.absent && err == nil:
		return fmt.Errorf("%w: the object exists, its latest version is %s", errNotExpected, f.Version)
	case !e.absent && err != nil:
		return fmt.Errorf("%w: version %s is not the latest any more: %v", errNotExpected, e.want, err)
	case !e.absent && f.Version != e.want:
		return fmt.Errorf("%w: the latest version is %s, not %s", errNotExpected, f.Version, e.want)
	}
	return nil
}
