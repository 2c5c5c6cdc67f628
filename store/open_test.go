package store_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
)

// opened is what the scheme of these tests opens: nothing but its URL.
type opened struct {
	store.Store
	url *url.URL
}

var errOpener = errors.New("no such bucket")

func init() {
	for _, scheme := range []string{"opentest", "file"} {
		store.Register(scheme, func(_ context.Context, u *url.URL) (store.Store, error) {
			if u.Host == "missing" {
				return nil, errOpener
			}
			return &opened{url: u}, nil
		})
	}
}

func TestOpen(t *testing.T) {
	for location, want := range map[string]string{
		"opentest://bucket/prefix?region=x": "opentest://bucket/prefix?region=x",
		"OpenTest://bucket":                 "opentest://bucket",
		"/srv/models":                       "file:///srv/models",
		"file:///srv/models":                "file:///srv/models",
	} {
		st, err := store.Open(t.Context(), location)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := st.(*opened).url.String(); got != want {
			t.Errorf("%q opens %q, want %q", location, got, want)
		}
	}
	if _, err := store.Open(t.Context(), "opentest://missing"); !errors.Is(err, errOpener) {
		t.Errorf("the opener's error has become %v", err)
	}
	if _, err := store.Open(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "empty registry location") {
		t.Errorf("no location: %v", err)
	}
}

// The error for a scheme without a backend names the linked backends and the
// import to add.
func TestOpenUnknownScheme(t *testing.T) {
	const pkg = "github.com/mindtrace/registry/store/"
	for location, says := range map[string]string{
		"s3://bucket":    `import the backend's package, for example _ "` + pkg + `s3store"`,
		"gs://bucket":    `import the backend's package, for example _ "` + pkg + `gcsstore"`,
		"http://host/x":  `"http"`,
		"azblob://x":     `"azblob"`,
		"s3://b?region=": `"s3"`,
	} {
		_, err := store.Open(t.Context(), location)
		if !errors.Is(err, store.ErrScheme) || !errors.Is(err, store.ErrLocation) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "(linked: ") {
			t.Errorf("Open(%q): %v, want %q", location, err, says)
		}
	}
}

func TestRegisterTwicePanics(t *testing.T) {
	defer func() {
		if got := recover(); got != "store: scheme opentest is registered twice" {
			t.Errorf("recovered %v", got)
		}
	}()
	store.Register("opentest", func(context.Context, *url.URL) (store.Store, error) { return nil, nil })
}
