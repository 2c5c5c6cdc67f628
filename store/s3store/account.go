package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"gopkg.in/ini.v1"

	"github.com/mindtrace/registry/store"
)

// account provides the credentials of requests.
type account struct {
	provider credentials.Provider
	source   func() string // where they come from, for messages
}

func accountOf(o Options, profile map[string]string) (account, error) {
	switch {
	case o.Anonymous:
		return account{&credentials.Static{Value: credentials.Value{SignerType: credentials.SignatureAnonymous}}, said("none (anonymous)")}, nil
	case o.AccessKey != "" || o.SecretKey != "":
		if o.AccessKey == "" || o.SecretKey == "" {
			return account{}, fmt.Errorf("s3://%s: an access key needs its secret key, and the other way round", o.Bucket)
		}
		v, err := cleaned(credentials.Value{AccessKeyID: o.AccessKey, SecretAccessKey: o.SecretKey, SessionToken: o.SessionToken, SignerType: credentials.SignatureV4})
		if err != nil {
			return account{}, fmt.Errorf("s3://%s: %w", o.Bucket, err)
		}
		return account{&credentials.Static{Value: v}, said("given by the program")}, nil
	}
	name := first(o.Profile, getenv("AWS_PROFILE"), "default")
	file := named{name: "profile " + name, Provider: &credentials.FileAWSCredentials{Profile: name}, meant: true}
	if err := misspelt("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"); err != nil {
		file.Provider = refused{err}
	}
	if profile["role_arn"] != "" {
		file.Provider = refused{fmt.Errorf("it assumes a role, which is not supported; let the AWS command do that: in a profile of your own, set credential_process = aws configure export-credentials --profile %s", name)}
	}
	c := &chain{}
	environment := named{name: "environment", Provider: &credentials.EnvAWS{}}
	role := func(kind, endpoint string, meant bool, variables ...string) named {
		if err := misspelt(variables...); err != nil {
			return named{name: kind, Provider: refused{err}}
		}
		return named{kind, &credentials.IAM{Endpoint: endpoint, Client: metadataClient()}, meant}
	}
	switch {
	case o.Profile != "": // asked for: nothing else will do
		c.links = []named{file}
		c.only = o.Profile
	case os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		c.links = []named{environment, role("web identity", getenv("AWS_ENDPOINT_URL_STS"), true,
			"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_REGION"), file}
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "", os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		c.links = []named{environment, file, role("container role", "", true,
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")}
	case getenv("AWS_EC2_METADATA_DISABLED") == "true":
		c.links = []named{environment, file}
	default:
		at := getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT")
		c.links = []named{environment, file, role("instance role", strings.TrimRight(at, "/"), at != "")}
	}
	return account{c, c.found}, nil
}

// refused is a provider that has no credentials, only the reason for that.
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

type named struct {
	name string
	credentials.Provider
	meant bool // the configuration says that there are credentials
}

// chain asks one provider after the other, and keeps the first that has
// credentials. If no provider has any, it fails; the chain of minio-go would
// continue without credentials.
type chain struct {
	links []named
	only  string // the profile that must have them, or ""

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
	failed := &credentialsError{profile: c.only}
	for i := range links {
		v, err := links[i].RetrieveWithCredContext(cc)
		if err == nil {
			if v, err = cleaned(v); err != nil {
				failed.why = append(failed.why, fmt.Errorf("%s: %w", links[i].name, err))
				return v, failed
			}
		}
		if err == nil && v.AccessKeyID != "" && v.SecretAccessKey != "" {
			c.current = &links[i]
			return v, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			failed.why = append(failed.why, fmt.Errorf("%s: %w", links[i].name, err))
			ue := (*url.Error)(nil)
			failed.again = failed.again || links[i].meant && errors.As(err, &ue)
		}
	}
	return credentials.Value{}, failed
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

// found names the provider that had credentials.
func (c *chain) found() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return "none found"
	}
	return c.current.name
}

// credentialsError means that no request could be made for lack of
// credentials.
type credentialsError struct {
	why     []error
	profile string // the requested profile, or ""
	again   bool   // the service that hands out credentials did not answer
}

// kind returns the error of package store that this one also is, or nil.
func (e *credentialsError) kind() error {
	if e.again {
		return store.ErrUnavailable
	}
	return nil
}

func (e *credentialsError) Error() string {
	none := errNoCredentials
	if e.profile != "" {
		none = fmt.Errorf("profile %q has no credentials: check its name in ~/.aws/credentials and ~/.aws/config, or in the files that $AWS_SHARED_CREDENTIALS_FILE and $AWS_CONFIG_FILE name", e.profile)
	}
	if len(e.why) == 0 {
		return none.Error()
	}
	return fmt.Sprintf("%v (%v)", none, errors.Join(e.why...))
}

func (e *credentialsError) Is(target error) bool { return !e.again && target == os.ErrPermission }

// Unwrap returns the causes, which may be stalled requests for credentials.
func (e *credentialsError) Unwrap() []error {
	if e.again {
		return e.why
	}
	return nil
}

// loadProfile reads the settings of a profile in the shared configuration. It
// ignores a file that cannot be read.
func loadProfile(name string) map[string]string {
	name = first(name, getenv("AWS_PROFILE"), "default")
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
