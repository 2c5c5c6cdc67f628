package s3store

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/mindtrace/registry/internal/transport"
)

// White space at the ends of a credential, an endpoint, a region or a name is
// dropped, wherever it comes from: it is the newline of a file, of a secret
// made with echo, or of a copied line. Where the client library reads
// a variable itself, this is an error that names the variable.

// getenv returns a variable of the environment without white space at its ends.
func getenv(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// trimmed returns the options without white space at their ends.
func (o Options) trimmed() Options {
	for _, s := range []*string{&o.Bucket, &o.Endpoint, &o.Region, &o.Profile, &o.AccessKey, &o.SecretKey, &o.SessionToken} {
		*s = strings.TrimSpace(*s)
	}
	return o
}

// misspelt returns an error if one of the variables begins or ends with white
// space.
func misspelt(names ...string) error {
	for _, name := range names {
		if v := os.Getenv(name); v != strings.TrimSpace(v) {
			return fmt.Errorf("$%s begins or ends with white space (%q); set it without", name, v)
		}
	}
	return nil
}

// cleaned returns credentials without white space at their ends. Its errors do
// not show the credentials.
func cleaned(v credentials.Value) (credentials.Value, error) {
	for _, part := range []struct {
		name  string
		value *string
	}{
		{"access key", &v.AccessKeyID}, {"secret key", &v.SecretAccessKey}, {"session token", &v.SessionToken},
	} {
		*part.value = strings.TrimSpace(*part.value)
		if strings.ContainsFunc(*part.value, unicode.IsControl) {
			return credentials.Value{}, errors.New("the " + part.name + " has a line break or another control character in it")
		}
	}
	return v, nil
}

// metadataClient returns the client for the services that hand out
// credentials. It gives up soon if a service does not exist.
func metadataClient() *http.Client {
	t := transport.Base()
	t.DialContext = (&net.Dialer{Timeout: time.Second}).DialContext
	t.Proxy = nil
	patience := transport.Patience / 2
	return &http.Client{Timeout: 2 * patience, Transport: cleanHeader{transport.GuardFor(t, patience)}}
}

// cleanHeader is a transport that trims a token that was read from a file.
type cleanHeader struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c cleanHeader) RoundTrip(req *http.Request) (*http.Response, error) {
	if token := req.Header.Get("Authorization"); token != strings.TrimSpace(token) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", strings.TrimSpace(token))
	}
	return c.next.RoundTrip(req)
}
