package gcsstore

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

func init() {
	store.Register("gs", func(_ context.Context, u *url.URL) (store.Store, error) {
		o, err := parseURL(u)
		if err != nil {
			return nil, err
		}
		return New(o)
	})
}

// Options for New. Bucket is required; zero values mean what they mean in
// a URL.
type Options struct {
	Bucket string
	Prefix string // of all keys; "a/b" and "a/b/" are the same

	Project  string // that MakeBucket makes the bucket in
	Endpoint string // URL, or host:port of an emulator

	// One of these, or none for Application Default Credentials.
	CredentialsFile string // path of a JSON file
	CredentialsJSON []byte // what such a file holds
	Anonymous       bool

	// Transport, for proxies or certificates of your own. nil means one with
	// sensible time-outs. It has to end a request whose context ends: that is
	// how one ends that makes no headway.
	Transport http.RoundTripper
}

func parseURL(u *url.URL) (Options, error) {
	o := Options{Bucket: u.Host, Prefix: u.Path}
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "project":
			o.Project = value
		case "endpoint":
			o.Endpoint = value
		case "credentials":
			o.CredentialsFile = value
		case "anonymous":
			if value != "true" && value != "false" {
				return o, fmt.Errorf("gs://%s: anonymous is true or false, not %q", u.Host, value)
			}
			o.Anonymous = value == "true"
		default:
			return o, fmt.Errorf("gs://%s: unknown option %q; there are credentials, anonymous, project and endpoint", u.Host, name)
		}
	}
	return o, nil
}

// bucketName is the rule for the characters of names. The length is checked apart:
// a count in the pattern would take half a millisecond of every start.
// https://cloud.google.com/storage/docs/buckets#naming
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]+[a-z0-9]$`)

// validBucket reports whether name has 3 to 63 characters, or 3 to 222 with dots.
func validBucket(name string) bool {
	return bucketName.MatchString(name) && (len(name) <= 63 || len(name) <= 222 && strings.Contains(name, "."))
}

// New returns the store in a bucket. It sends no request, and does not look
// for credentials yet.
func New(o Options) (*Store, error) {
	o = o.trimmed()
	bad := func(format string, args ...any) (*Store, error) {
		return nil, fmt.Errorf("gs://%s: %w", o.Bucket, fmt.Errorf(format, args...))
	}
	if !validBucket(o.Bucket) {
		return bad("the name of a bucket has 3 to 63 characters: lower-case letters, digits, - _ and dots, the first and last a letter or digit")
	}
	prefix, err := cleanPrefix(o.Prefix)
	if err != nil {
		return bad("%w", err)
	}
	ep, err := endpointOf(o.Endpoint)
	if err != nil {
		return bad("%w", err)
	}
	next := o.Transport
	if next == nil {
		next = defaultTransport()
	}
	_, traced := next.(*http.Transport)
	guarded := transport.Guard(next)
	acc, err := accountOf(o, ep, guarded)
	if err != nil {
		return bad("%w", err)
	}
	var chain http.RoundTripper = tap{guarded, traced}
	if acc.none == "" {
		chain = authorized{acc, chain}
	}
	client := &http.Client{
		Transport: chain,
		// The JSON API never redirects; a proxy's login page would be
		// followed, with the token, and a put sent again.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	api, err := storage.NewService(context.Background(), option.WithHTTPClient(client), option.WithEndpoint(ep.root+"/storage/v1/"))
	if err != nil {
		return bad("%w", err)
	}
	api.UserAgent = "mindreg"
	return &Store{
		api: api, bucket: o.Bucket, prefix: prefix, project: first(o.Project, getenv("GOOGLE_CLOUD_PROJECT")), endpoint: ep, account: acc,
		server: transport.Server{URL: ep.root, Proxy: transport.Proxy(next, ep.root)},
	}, nil
}

// cleanPrefix leaves room for 900 bytes of key in the 1024 that a name has.
// https://cloud.google.com/storage/docs/objects#naming
func cleanPrefix(prefix string) (string, error) {
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return "", nil
	}
	if len(prefix) > 120 || !utf8.ValidString(prefix) || strings.ContainsFunc(prefix, unicode.IsControl) {
		return "", fmt.Errorf("the prefix %.130q is not one of at most 120 bytes of text", prefix)
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("the prefix %q has the part %q, which other programs would change", prefix, part)
		}
	}
	return prefix + "/", nil
}

type endpoint struct {
	root   string // URL, without a slash at the end
	secure bool   // https
	google bool   // a host of Google's
}

// endpointOf reads an endpoint as people write it, or the environment's.
func endpointOf(s string) (endpoint, error) {
	s = first(s, getenv("STORAGE_EMULATOR_HOST"))
	if s == "" {
		return endpoint{root: "https://storage.googleapis.com", secure: true, google: true}, nil
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s // as other clients read $STORAGE_EMULATOR_HOST
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil ||
		strings.Trim(strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/storage/v1"), "/") != "" {
		return endpoint{}, fmt.Errorf("the endpoint is not of the form http://host:4443")
	}
	return endpoint{
		root: u.Scheme + "://" + u.Host, secure: u.Scheme == "https",
		google: strings.HasSuffix(u.Hostname(), ".googleapis.com"),
	}, nil
}

// getenv is a variable of the environment as it was meant: white space at the
// ends is the newline of a file or of a copied line.
func getenv(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// trimmed is what was meant by options.
func (o Options) trimmed() Options {
	for _, s := range []*string{&o.Bucket, &o.Project, &o.Endpoint, &o.CredentialsFile} {
		*s = strings.TrimSpace(*s)
	}
	return o
}

func defaultTransport() *http.Transport {
	t := transport.Base()
	t.WriteBufferSize, t.ReadBufferSize = 64<<10, 64<<10
	// A connection that has died unnoticed is found out.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return t
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
