package gcsstore

import (
	"context"
	"fmt"
	"net"
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
	// sensible time-outs.
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

// bucketName is the rule for names; those with dots may be longer.
// https://cloud.google.com/storage/docs/buckets#naming
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)

// New returns the store in a bucket. It sends no request, and does not look
// for credentials yet.
func New(o Options) (*Store, error) {
	bad := func(format string, args ...any) (*Store, error) {
		return nil, fmt.Errorf("gs://%s: %w", o.Bucket, fmt.Errorf(format, args...))
	}
	if !bucketName.MatchString(o.Bucket) || len(o.Bucket) > 63 && !strings.Contains(o.Bucket, ".") {
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
	transport := o.Transport
	if transport == nil {
		transport = defaultTransport()
	}
	acc, err := accountOf(o, ep, transport)
	if err != nil {
		return bad("%w", err)
	}
	var chain http.RoundTripper = tap{transport}
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
		api: api, bucket: o.Bucket, prefix: prefix, project: first(o.Project, os.Getenv("GOOGLE_CLOUD_PROJECT")), endpoint: ep, account: acc,
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
	s = first(s, os.Getenv("STORAGE_EMULATOR_HOST"))
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

// defaultTransport gives up on a server that does not answer in seconds, but
// lets a slow transfer take its time.
func defaultTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ResponseHeaderTimeout = time.Minute
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true
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
