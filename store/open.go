package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Opener returns the Store that a URL names. It creates nothing there, and
// refuses query parameters that it does not know.
type Opener func(ctx context.Context, u *url.URL) (Store, error)

var openers struct {
	sync.Mutex
	byScheme map[string]Opener
}

// Register makes Open use open for URLs of this scheme. Backends call it from
// init; a second call for a scheme panics.
func Register(scheme string, open Opener) {
	openers.Lock()
	defer openers.Unlock()
	if openers.byScheme[scheme] != nil {
		panic("store: scheme " + scheme + " is registered twice")
	}
	if openers.byScheme == nil {
		openers.byScheme = map[string]Opener{}
	}
	openers.byScheme[scheme] = open
}

// ErrScheme: no backend for the URL's scheme is linked into the program. It is
// also ErrLocation.
var ErrScheme = errors.New("no backend for this URL scheme")

// ErrLocation: a location does not name a place for a registry. It is not
// a valid URL, has unknown options, or is the path of something other than
// a directory.
var ErrLocation = errors.New("not a valid location of a registry")

// locationError is an error that is also ErrLocation. It keeps its own text.
type locationError struct{ error }

func (e locationError) Is(target error) bool { return target == ErrLocation }
func (e locationError) Unwrap() error        { return e.error }

// Open returns the Store that a location names: a URL such as
// "s3://bucket/prefix" or "file:///srv/models", or a path of the file system.
// The program has to import the package of the backend.
//
// Errors: ErrLocation for a mistake in the location, ErrScheme if no backend
// is linked for its scheme; ErrUnavailable, fs.ErrPermission or fs.ErrNotExist
// from the backend.
func Open(ctx context.Context, location string) (Store, error) {
	st, err := openURL(ctx, location)
	if err == nil || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
		return st, err
	}
	return nil, locationError{err}
}

func openURL(ctx context.Context, location string) (Store, error) {
	u, err := ParseURL(location)
	if err != nil {
		return nil, err
	}
	openers.Lock()
	open := openers.byScheme[u.Scheme]
	known := slices.Sorted(maps.Keys(openers.byScheme))
	openers.Unlock()
	if open == nil {
		err := fmt.Errorf("%w %q (linked: %s)", ErrScheme, u.Scheme, strings.Join(known, ", "))
		if pkg := packageOf(u.Scheme); pkg != "" { // it exists, but this program does not import it
			err = fmt.Errorf("%w: import the backend's package, for example _ %q", err, "github.com/mindtrace/registry/store/"+pkg)
		}
		return nil, err
	}
	return open(ctx, u)
}

func packageOf(scheme string) string {
	switch scheme {
	case "gs":
		return "gcsstore"
	case "mem", "file", "s3":
		return scheme + "store"
	}
	return ""
}
