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

// ParseURL reads a location as Open does. A path of the file system becomes
// a URL of scheme "file" with that path, unescaped, in Path. Secrets are
// refused: URLs end up in logs, histories and process lists.
func ParseURL(location string) (*url.URL, error) {
	if location == "" {
		return nil, errors.New("empty registry location")
	}
	scheme, rest, found := strings.Cut(location, ":")
	// One letter before the colon is a Windows drive.
	if !found || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) {
		return &url.URL{Scheme: "file", Path: location}, nil
	}
	if !strings.HasPrefix(rest, "//") && scheme != "mem" && scheme != "file" {
		return nil, fmt.Errorf("registry location %q: write %s://... for a URL, or ./%s for a directory of that name", location, scheme, location)
	}
	u, err := url.Parse(location)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL, which may hold a secret
		}
		return nil, fmt.Errorf("registry location is not a URL: %w", err)
	}
	if u.User != nil {
		return nil, fmt.Errorf("registry location %s: it holds credentials; put them in the environment or a credentials file instead", u.Redacted())
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("registry location %q: a fragment (#...) has no meaning here", location)
	}
	if u.Scheme == "file" {
		if u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("registry location %q: a file URL has three slashes, file:///%s%s", location, u.Host, u.Path)
		}
		if u.Opaque != "" {
			u.Path, u.Opaque = u.Opaque, ""
		}
	}
	return u, nil
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
