package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Opener makes the Store that a URL names. It does not create anything in
// it. It refuses query parameters that it does not know.
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

// ErrScheme: no backend for the URL's scheme is linked into the program.
var ErrScheme = errors.New("no backend for this URL scheme")

// Open returns the Store that a location names: a URL such as
// "s3://bucket/prefix" or "file:///srv/models", or a path of the file system.
func Open(ctx context.Context, location string) (Store, error) {
	u, err := ParseURL(location)
	if err != nil {
		return nil, err
	}
	openers.Lock()
	open := openers.byScheme[u.Scheme]
	known := slices.Sorted(maps.Keys(openers.byScheme))
	openers.Unlock()
	if open == nil {
		return nil, fmt.Errorf("%w %q (linked: %s): import the backend's package, for example _ %q",
			ErrScheme, u.Scheme, strings.Join(known, ", "), "github.com/mindtrace/registry/store/"+packageOf(u.Scheme))
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
	return "..."
}
