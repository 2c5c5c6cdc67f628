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

// NewUnreadable returns an *UnreadableError: the register at key cannot be read
// because of err. ref says what it is the register of, as far as that is known.
func NewUnreadable(key, ref string, err error) error {
	return &fault.UnreadableError{Key: key, Ref: ref, Remedy: remedy(key, err), Err: err}
}

// remedy says what to do about a register that cannot be read; "" if nothing here
// helps.
func remedy(key string, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "it needs permission to read"
	case errors.Is(err, store.ErrForeign): // the store's error says what to do
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

// IsUnreadable reports whether err concerns one part of the registry only, such as
// one damaged register: the rest can be read. It is false for an error that
// ends everything, such as a network that is down.
func IsUnreadable(err error) bool {
	return isPermanent(err) || errors.As(err, new(*fault.UnreadableError))
}

// isPermanent reports whether err is an IsUnreadable error that will be the same
// the next time: damage, or a newer format.
func isPermanent(err error) bool { return IsDamaged(err) || errors.Is(err, manifest.ErrNewer) }

// IsOfOneKey reports whether err, the error of reading a key, concerns that key
// only: the store answers, and ctx has not ended. It is false for a key that does
// not exist.
func IsOfOneKey(ctx context.Context, err error) bool {
	switch {
	case err == nil, ctx.Err() != nil, IsNotFound(err):
		return false
	case errors.Is(err, io.ErrUnexpectedEOF): // after all retries
		return true
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrNoBucket),
		errors.Is(err, cachestore.ErrOffline), errors.Is(err, fault.ErrNoRegistry),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	return true
}

// ReadRegister reads the register at key and passes its bytes to decode. ref says
// what it is the register of, for errors. A failure that concerns this register
// only is an *UnreadableError. Damage and errors of the file system are reported
// only if a second read fails too: the first may have been damaged on the way.
// The Info of a damaged register is returned with the error, so that the caller
// can replace it.
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
		if errors.Is(err, store.ErrTooLarge) { // the read returned no Info
			var serr error
			if info, serr = l.Store.Stat(ctx, key); serr != nil || info.Size <= most {
				info = store.Info{} // it has been replaced meanwhile
			}
		}
		return info, NewUnreadable(key, ref, err)
	}
}

// ListingError translates the error of a listing of the store. If it says that one
// part of the keys cannot be listed, it becomes an *UnreadableError that names
// the object.
func ListingError(err error) error {
	bad := (*store.UnreadableError)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	return NewUnreadable(bad.Prefix, manifest.ObjectOf(bad.Prefix), bad.Err)
}

// Unreadables collects the errors of parts that an operation has skipped.
type Unreadables []error

// Pass collects err if it concerns one part only, and reports whether it does.
func (u *Unreadables) Pass(err error) bool {
	if !IsUnreadable(err) {
		return false
	}
	*u = append(*u, err)
	return true
}

// Err returns the errors, joined; nil if there are none.
func (u Unreadables) Err() error {
	const most = 20 // that are listed one by one
	if len(u) <= most {
		return errors.Join(u...)
	}
	return errors.Join(append(u[:most:most], fmt.Errorf("and %d more; mindreg verify lists all", len(u)-most))...)
}
