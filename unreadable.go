package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// newUnreadable says that a part of the registry cannot be read, and what to do.
func newUnreadable(key, ref string, err error) error {
	return &UnreadableError{Key: key, Ref: ref, Remedy: remedy(key, err), Err: err}
}

// remedy says what to do about a register that cannot be read.
func remedy(key string, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "it needs permission to read"
	case errors.Is(err, store.ErrForeign): // the store says what to do; nothing here replaces it
		return ""
	case damaged(err) && strings.HasPrefix(key, manifest.TagsPrefix("")):
		return "mindreg tag set or tag rm replaces it, mindreg verify --repair --from URL restores it from a copy"
	case damaged(err) && strings.HasPrefix(key, manifest.LocksPrefix):
		return "mindreg lock break replaces it"
	case damaged(err):
		return "mindreg verify --repair --from URL restores it from a copy"
	}
	return ""
}

// unreadable tells the failure to read one version, whatever the reader does,
// from those that concern all.
func unreadable(err error) bool { return hopeless(err) || errors.As(err, new(*UnreadableError)) }

// hopeless is unreadable of what will not be otherwise the next time.
func hopeless(err error) bool { return damaged(err) || errors.Is(err, ErrNewer) }

// ofOne reports whether the failure to read a key says nothing of other keys:
// the store answers, and the caller has not given up.
func ofOne(ctx context.Context, err error) bool {
	switch {
	case err == nil, ctx.Err() != nil, notFound(err):
		return false
	case errors.Is(err, io.ErrUnexpectedEOF): // however often it was asked for
		return true
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrNoBucket),
		errors.Is(err, ErrOffline), errors.Is(err, ErrNoRegistry),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	return true
}

// readRegister reads the register of ref, and has decode take its bytes. A
// failure that concerns it alone is an *UnreadableError. Damage, and what the
// system says of a file, have to come twice: what happens once is the way's
// fault, not that of what is stored. Of a damaged register the Info is returned
// all the same, for who is to replace it.
func (r *Registry) readRegister(ctx context.Context, key, ref string, decode func([]byte) error) (store.Info, error) {
	most := manifest.MaxBody(key)
	for try := 1; ; try++ {
		body, info, err := r.st.Get(ctx, key, &store.GetOptions{Most: most})
		if err == nil {
			err = decode(body)
		}
		if !ofOne(ctx, err) {
			return info, err
		}
		if try == 1 && (damaged(err) || errors.As(err, new(*fs.PathError))) {
			continue
		}
		if errors.Is(err, store.ErrTooLarge) { // it was not read
			var serr error
			if info, serr = r.st.Stat(ctx, key); serr != nil || info.Size <= most {
				info = store.Info{} // it is another by now
			}
		}
		return info, newUnreadable(key, ref, err)
	}
}

// listError gives the error of a listing its name here: what it says of the part
// that cannot be read, and of which object that is.
func listError(err error) error {
	bad := (*store.UnreadableError)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	return newUnreadable(bad.Prefix, manifest.ObjectOf(bad.Prefix), bad.Err)
}

// unreadables are the parts that a verb has passed over.
type unreadables []error

// pass takes note of an error that concerns one part alone. It reports whether
// it was one.
func (u *unreadables) pass(err error) bool {
	if !unreadable(err) {
		return false
	}
	*u = append(*u, err)
	return true
}

// err is nil if nothing was passed over.
func (u unreadables) err() error {
	const most = 20 // what is told one by one
	if len(u) <= most {
		return errors.Join(u...)
	}
	return errors.Join(append(u[:most:most], fmt.Errorf("and %d more; mindreg verify tells all", len(u)-most))...)
}
