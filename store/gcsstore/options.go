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

	// At most one of these. Without one: Application Default Credentials.
	CredentialsFile string // path of a JSON file
	CredentialsJSON []byte // the content of a credentials file
	Anonymous       bool

	// Transport is for proxies or certificates of your own. nil means one
	// with sensible time-outs. It has to end a request whose context ends:
	// a stalled request is ended by its context.
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

// bucketName is the rule for the characters of names. validBucket checks the
// length: a count in the pattern would add half a millisecond to every start.
// https://cloud.google.com/storage/docs/buckets#naming
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]+[a-z0-9]$`)

// validBucket reports whether name has 3 to 63 characters, or 3 to 222 with dots.
func validBucket(name string) bool {
	return bucketName.MatchString(name) && (len(name) <= 63 || len(name) <= 222 && strings.Contains(name, "."))
}

// New returns the store in a bucket. It sends no request, and does not look
// for credentials yet. It fails if an option is missing or malformed.
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
		// The JSON API never redirects. A redirection comes from a proxy's
		// login page; following it would send the token there, and a put
		// twice.
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

// cleanPrefix checks a prefix, and adds a slash. A name has at most 1024 bytes,
// of which a key needs 900.
// https://cloud.google.com/storage/docs/objects#naming
func cleanPrefix(prefix string) (string, error) {
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return "", nil
	}
	if len(prefix) > 120 || !utf8.ValidString(prefix) || strings.ContainsFunc(prefix, unicode.IsControl) {
		return "", fmt.Errorf("the prefix %.130q has more than 120 bytes, or is not text", prefix)
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
	google bool   // it is a host of Google
}

// endpointOf parses an endpoint as people write it; "" means that of the
// environment.
func endpointOf(s string) (endpoint, error) {
	s = first(s, getenv("STORAGE_EMULATOR_HOST"))
	if s == "" {
		return endpoint{root: "https://storage.googleapis.com", secure: true, google: true}, nil
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s // like other clients read $STORAGE_EMULATOR_HOST
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

// getenv returns a variable of the environment without white space at its
// ends, which comes from the newline of a file or of a copied line.
func getenv(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// trimmed returns the options without white space at their ends.
func (o Options) trimmed() Options {
	for _, s := range []*string{&o.Bucket, &o.Project, &o.Endpoint, &o.CredentialsFile} {
		*s = strings.TrimSpace(*s)
	}
	return o
}

func defaultTransport() *http.Transport {
	t := transport.Base()
	t.WriteBufferSize, t.ReadBufferSize = 64<<10, 64<<10
	// Pings find out a connection that has died silently.
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
