package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

func init() {
	store.Register("s3", func(_ context.Context, u *url.URL) (store.Store, error) {
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

	Endpoint string // host, host:port or URL
	Insecure bool   // http instead of https, if Endpoint has no scheme
	Region   string

	Profile   string // of the shared AWS configuration
	Anonymous bool
	// Static credentials, in place of those of the environment.
	AccessKey, SecretKey, SessionToken string

	// PathStyle is http://host/bucket/key, not http://bucket.host/key. nil: on
	// all servers but AWS.
	PathStyle *bool

	// Transport is for proxies or certificates of your own. nil means one
	// with sensible time-outs. It has to end a request whose context ends:
	// a stalled request is ended by its context.
	Transport http.RoundTripper
}

func parseURL(u *url.URL) (Options, error) {
	o := Options{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "region":
			o.Region = value
		case "endpoint":
			o.Endpoint = value
		case "profile":
			o.Profile = value
		case "anonymous", "path_style":
			if value != "true" && value != "false" {
				return o, fmt.Errorf("%s: %s is true or false, not %q", u.Redacted(), name, value)
			}
			if name == "anonymous" {
				o.Anonymous = value == "true"
			} else {
				o.PathStyle = new(value == "true")
			}
		default:
			if looksSecret(name) {
				return o, fmt.Errorf("s3://%s: secrets do not belong in a URL; set $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, or use a profile", u.Host)
			}
			return o, fmt.Errorf("s3://%s: unknown option %q; there are region, endpoint, profile, anonymous and path_style", u.Host, name)
		}
	}
	return o, nil
}

func looksSecret(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "key") || strings.Contains(name, "secret") || strings.Contains(name, "token") || strings.Contains(name, "password")
}

// New returns the store in a bucket. It sends no request. It fails if an option
// is missing or malformed.
func New(o Options) (*Store, error) {
	o = o.trimmed()
	if err := s3utils.CheckValidBucketNameStrict(o.Bucket); err != nil {
		return nil, fmt.Errorf("s3://%s: %w; a location is s3://bucket/prefix", o.Bucket, err)
	}
	prefix := strings.Trim(o.Prefix, "/")
	if prefix != "" {
		if len(prefix) > 120 || strings.Contains(prefix, "//") || strings.ContainsFunc(prefix, unicode.IsControl) {
			return nil, fmt.Errorf("s3://%s/%q: a prefix has at most 120 bytes, no empty parts and no control characters", o.Bucket, prefix)
		}
		prefix += "/"
	}
	profile := loadProfile(o.Profile)
	ep, err := endpointOf(o, profile)
	if err != nil {
		return nil, err
	}
	region := first(o.Region, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), profile["region"])
	if region == "" && !ep.aws {
		region = "us-east-1" // the region of most servers other than AWS
	}
	acc, err := accountOf(o, profile)
	if err != nil {
		return nil, err
	}
	pathStyle := !ep.aws || strings.Contains(o.Bucket, ".") // certificates do not cover *.*.amazonaws.com
	if o.PathStyle != nil {
		pathStyle = *o.PathStyle
	}
	lookup := minio.BucketLookupDNS
	if pathStyle {
		lookup = minio.BucketLookupPath
	}
	next := o.Transport
	if next == nil {
		next = defaultTransport()
	}
	server := ep.url()
	if !pathStyle {
		server = strings.Replace(server, "://", "://"+o.Bucket+".", 1)
	}
	creds := credentials.New(acc.provider)
	client, err := minio.New(ep.host, &minio.Options{
		Creds: creds, Secure: ep.secure, Region: region, BucketLookup: lookup, Transport: tap{transport.Guard(next)},
		MaxRetries:      1,    // no retries: package wrapstore decides what is repeated
		TrailingHeaders: true, // without it, the library sends no checksums at all
	})
	if err != nil {
		return nil, fmt.Errorf("s3://%s: %w", o.Bucket, err)
	}
	return &Store{
		core: minio.Core{Client: client}, creds: creds, bucket: o.Bucket, prefix: prefix, region: region,
		endpoint: ep, pathStyle: pathStyle, account: acc, server: transport.Server{URL: ep.url(), Proxy: transport.Proxy(next, server)},
	}, nil
}

type endpoint struct {
	host   string
	secure bool
	aws    bool // AWS itself, not a server like it
}

func (e endpoint) url() string {
	if e.secure {
		return "https://" + e.host
	}
	return "http://" + e.host
}

func endpointOf(o Options, profile map[string]string) (endpoint, error) {
	s := first(o.Endpoint, getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL"), profile["endpoint_url"])
	if s == "" {
		return endpoint{host: "s3.amazonaws.com", secure: true, aws: true}, nil
	}
	if !strings.Contains(s, "://") {
		s = map[bool]string{true: "http://", false: "https://"}[o.Insecure] + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return endpoint{}, fmt.Errorf("s3://%s: the endpoint is not of the form http://host:9000", o.Bucket)
	}
	if u.User != nil {
		return endpoint{}, fmt.Errorf("s3://%s: the endpoint holds credentials; set $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY instead", o.Bucket)
	}
	host := u.Hostname()
	return endpoint{
		host: u.Host, secure: u.Scheme == "https",
		aws: strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn"),
	}, nil
}

func defaultTransport() *http.Transport {
	t := transport.Base()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true) // a connection for each transfer is faster than one shared by all
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

var errNoCredentials = errors.New("no credentials: set $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, name a profile (?profile=), or say ?anonymous=true for a public bucket")
