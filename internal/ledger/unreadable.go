package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// NewUnreadable says that a part of the registry cannot be read, and what to do.
func NewUnreadable(key, ref string, err error) error {
	return &fault.UnreadableError{Key: key, Ref: ref, Remedy: remedy(key, err), Err: err}
}

// remedy says what to do about a register that cannot be read.
func remedy(key string, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "it needs permission to read"
	case errors.Is(err, store.ErrForeign): // the store says what to do; nothing here replaces it
		return ""
	case IsDamaged(err) && strings.HasPrefix(key, manifest.TagsPrefix("")):
		return "mindreg tag set or tag rm replaces it, mindreg verify --repair --from URL restores it from a copy"
	case IsDamaged(err) && strings.HasPrefix(key, manifest.LocksPrefix):
		return "mindreg lock break replaces it"
	case IsDamaged(err):
		return "mindreg verify --repair --from URL restores it from a copy"
	}
	return ""
}

// Unreadable tells the failure to read one version, whatever the reader does,
// from those that concern all.
func IsUnreadable(err error) bool {
	return isPermanent(err) || errors.As(err, new(*fault.UnreadableError))
}

// isPermanent is unreadable of what will not be otherwise the next time.
func isPermanent(err error) bool { return IsDamaged(err) || errors.Is(err, manifest.ErrNewer) }

// OfOne reports whether the failure to read a key says nothing of other keys:
// the store answers, and the caller has not given up.
func IsOfOneKey(ctx context.Context, err error) bool {
	switch {
	case err == nil, ctx.Err() != nil, IsNotFound(err):
		return false
	case errors.Is(err, io.ErrUnexpectedEOF): // however often it was asked for
		return true
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrNoBucket),
		errors.Is(err, cachestore.ErrOffline), errors.Is(err, fault.ErrNoRegistry),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	return true
}

// ReadRegister reads the register of ref, and has decode take its bytes. A
// failure that concerns it alone is an *UnreadableError. Damage, and what the
// system says of a file, have to come twice: what happens once is the way's
// fault, not that of what is stored. Of a damaged register the Info is returned
// all the same, for who is to replace it.
func (l *Ledger) ReadRegister(ctx context.Context, key, ref string, decode func([]byte) error) (store.Info, error) {
	most := manifest.MaxBody(key)
	for try := 1; ; try++ {
		body, info, err := l.Store.Get(ctx, key, &store.GetOptions{Most: most})
		if err == nil {
			err = decode(body)
		}
		if !IsOfOneKey(ctx, err) {
			return info, err
		}
		if try == 1 && (IsDamaged(err) || errors.As(err, new(*fs.PathError))) {
			continue
		}
		if errors.Is(err, store.ErrTooLarge) { // it was not read
			var serr error
			if info, serr = l.Store.Stat(ctx, key); serr != nil || info.Size <= most {
				info = store.Info{} // it is another by now
			}
		}
		return info, NewUnreadable(key, ref, err)
	}
}

// ListError gives the error of a listing its name here: what it says of the part
// that cannot be read, and of which object that is.
func ListingError(err error) error {
	bad := (*store.UnreadableError)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	return NewUnreadable(bad.Prefix, manifest.ObjectOf(bad.Prefix), bad.Err)
}

// Unreadables are the parts that a verb has passed over.
type Unreadables []error

// Pass takes note of an error that concerns one part alone. It reports whether
// it was one.
func (u *Unreadables) Pass(err error) bool {
	if !IsUnreadable(err) {
		return false
	}
	*u = append(*u, err)
	return true
}

// Err is nil if nothing was passed over.
func (u Unreadables) Err() error {
	const most = 20 // what is told one by one
	if len(u) <= most {
		return errors.Join(u...)
	}
	return errors.Join(append(u[:most:most], fmt.Errorf("and %d more; mindreg verify tells all", len(u)-most))...)
}
