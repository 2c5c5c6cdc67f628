package s3store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"gopkg.in/ini.v1"
)

// account is where credentials come from.
type account struct {
	provider credentials.Provider
	source   func() string // what was found, for messages
}

func accountOf(o Options, profile map[string]string) (account, error) {
	switch {
	case o.Anonymous:
		return account{&credentials.Static{Value: credentials.Value{SignerType: credentials.SignatureAnonymous}}, said("none (anonymous)")}, nil
	case o.AccessKey != "" || o.SecretKey != "":
		if o.AccessKey == "" || o.SecretKey == "" {
			return account{}, fmt.Errorf("s3://%s: an access key needs its secret key, and the other way round", o.Bucket)
		}
		v := credentials.Value{AccessKeyID: o.AccessKey, SecretAccessKey: o.SecretKey, SessionToken: o.SessionToken, SignerType: credentials.SignatureV4}
		return account{&credentials.Static{Value: v}, said("given by the program")}, nil
	}
	name := first(o.Profile, os.Getenv("AWS_PROFILE"), "default")
	file := named{"profile " + name, &credentials.FileAWSCredentials{Profile: o.Profile}}
	if profile["role_arn"] != "" {
		file.Provider = refused{fmt.Errorf("it assumes a role, which is not supported; let the AWS command do that: in a profile of your own, set credential_process = aws configure export-credentials --profile %s", name)}
	}
	c := &chain{}
	role := func(kind, endpoint string) named {
		return named{kind, &credentials.IAM{Endpoint: endpoint, Client: &http.Client{Timeout: 10 * time.Second, Transport: metadataTransport()}}}
	}
	switch {
	case o.Profile != "": // asked for: nothing else will do
		c.links = []named{file}
		c.only = o.Profile
	case os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		c.links = []named{{"environment", &credentials.EnvAWS{}}, role("web identity", os.Getenv("AWS_ENDPOINT_URL_STS")), file}
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "", os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		c.links = []named{{"environment", &credentials.EnvAWS{}}, file, role("container role", "")}
	case os.Getenv("AWS_EC2_METADATA_DISABLED") == "true":
		c.links = []named{{"environment", &credentials.EnvAWS{}}, file}
	default:
		c.links = []named{{"environment", &credentials.EnvAWS{}}, file, role("instance role", strings.TrimRight(os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "/"))}
	}
	return account{c, c.found}, nil
}

// refused is a provider that only says why it has no credentials.
type refused struct{ err error }

// RetrieveWithCredContext implements credentials.Provider.
func (r refused) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return credentials.Value{}, r.err
}

// Retrieve implements credentials.Provider.
func (r refused) Retrieve() (credentials.Value, error) { return credentials.Value{}, r.err }

// IsExpired implements credentials.Provider.
func (r refused) IsExpired() bool { return true }

func said(s string) func() string { return func() string { return s } }

// metadataTransport does not wait for a metadata service that is not there.
func metadataTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: time.Second}).DialContext
	t.Proxy = nil
	return t
}

type named struct {
	name string
	credentials.Provider
}

// chain asks one provider after the other, and stays with the first that has
// credentials. Unlike that of minio-go it fails if there are none, instead of
// going on without.
type chain struct {
	links []named
	only  string // the profile that is to have them, or ""

	mu      sync.Mutex
	current *named
}

// RetrieveWithCredContext implements credentials.Provider.
func (c *chain) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	links := c.links
	if c.current != nil {
		links = []named{*c.current}
	}
	var errs []error
	for i := range links {
		v, err := links[i].RetrieveWithCredContext(cc)
		if err == nil && v.AccessKeyID != "" && v.SecretAccessKey != "" {
			c.current = &links[i]
			return v, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", links[i].name, err))
		}
	}
	return credentials.Value{}, &credentialsError{errs, c.only}
}

// Retrieve implements credentials.Provider.
func (c *chain) Retrieve() (credentials.Value, error) {
	return c.RetrieveWithCredContext(&credentials.CredContext{Context: context.Background()})
}

// IsExpired implements credentials.Provider.
func (c *chain) IsExpired() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current == nil || c.current.IsExpired()
}

// found names the link that had credentials.
func (c *chain) found() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return "none found"
	}
	return c.current.name
}

// credentialsError means that no request could be made for want of
// credentials.
type credentialsError struct {
	why     []error
	profile string // that was asked for, or ""
}

func (e *credentialsError) Error() string {
	none := errNoCredentials
	if e.profile != "" {
		none = fmt.Errorf("profile %q has no credentials: check its name, in ~/.aws/credentials, ~/.aws/config or where $AWS_SHARED_CREDENTIALS_FILE and $AWS_CONFIG_FILE say", e.profile)
	}
	if len(e.why) == 0 {
		return none.Error()
	}
	return fmt.Sprintf("%v (%v)", none, errors.Join(e.why...))
}

func (e *credentialsError) Is(target error) bool { return target == os.ErrPermission }

// loadProfile reads what the shared configuration says of a profile, beside
// its credentials. What cannot be read says nothing.
func loadProfile(name string) map[string]string {
	name = first(name, os.Getenv("AWS_PROFILE"), "default")
	path := os.Getenv("AWS_CONFIG_FILE")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(home, ".aws", "config")
	}
	f, err := ini.Load(path)
	if err != nil {
		return nil
	}
	section := "profile " + name
	if name == "default" {
		section = name
	}
	if !f.HasSection(section) {
		return nil
	}
	return f.Section(section).KeysHash()
}
