package servers

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// kind is a way to run a server.
type kind struct {
	tool    string // as in package serverbin
	scheme  string // of store URLs
	prepare func(dir string) error
	args    func(addr, dir string) []string
	env     []string
	slow    bool // see Slow
	open    bool // see Open
	errs    bool // see Errs
}

// MinIO: small buffers, no console, no look for updates; see
// https://github.com/minio/minio/tree/master/docs.
var minioEnv = []string{
	"MINIO_ROOT_USER=" + AccessKey, "MINIO_ROOT_PASSWORD=" + SecretKey,
	"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1", "GOMAXPROCS=2",
}

var minioKind = &kind{
	tool: "minio", scheme: "s3", env: minioEnv,
	args: func(addr, dir string) []string {
		return []string{"server", "--quiet", "--address", addr, filepath.Join(dir, "data")}
	},
}

var twoPoolKind = &kind{
	tool: "minio", scheme: "s3", env: minioEnv,
	prepare: func(dir string) error {
		for _, pool := range []string{"a", "b"} {
			for disk := range 4 {
				if err := os.MkdirAll(filepath.Join(dir, fmt.Sprint(pool, disk+1)), 0o777); err != nil {
					return err
				}
			}
		}
		return nil
	},
	args: func(addr, dir string) []string {
		return []string{
			"server", "--quiet", "--address", addr,
			filepath.Join(dir, "a{1...4}"), filepath.Join(dir, "b{1...4}"),
		}
	},
}

var tlsKind = &kind{
	tool: "minio", scheme: "s3", env: minioEnv,
	prepare: func(dir string) error { return writeCertificate(filepath.Join(dir, "certs")) },
	args: func(addr, dir string) []string {
		return []string{"server", "--quiet", "--address", addr, "--certs-dir", filepath.Join(dir, "certs"), filepath.Join(dir, "data")}
	},
}

var versityKind = &kind{
	tool: "versitygw", scheme: "s3",
	env:     []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey, "GOMAXPROCS=2"},
	prepare: func(dir string) error { return os.MkdirAll(filepath.Join(dir, "data"), 0o777) },
	args: func(addr, dir string) []string {
		return []string{"--port", addr, "--region", Region, "posix", filepath.Join(dir, "data")}
	},
}

var gofakes3Kind = &kind{
	tool: "gofakes3", scheme: "s3", open: true,
	args: func(addr, dir string) []string {
		return []string{"-host", addr, "-backend", "memory", "-quiet"}
	},
}

var gcsKind = &kind{
	tool: "gcs", scheme: "gs",
	args: func(addr, dir string) []string { return []string{"-addr", addr, "-dir", filepath.Join(dir, "data")} },
}

// Client returns a client of an S3 server with all rights.
func (s *Server) Client() (*minio.Client, error) {
	return minio.New(s.addr, &minio.Options{
		Creds:  credentials.NewStaticV4(AccessKey, SecretKey, ""),
		Secure: s.kind == tlsKind, Region: Region, BucketLookup: minio.BucketLookupPath, MaxRetries: 1,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ResponseHeaderTimeout: 30 * time.Second},
	})
}

// answers reports whether the server works.
func (s *Server) answers(ctx context.Context) error {
	if s.kind.scheme == "gs" {
		return s.gcs(ctx, http.MethodGet, "")
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	_, err = c.ListBuckets(ctx)
	return err
}

func (s *Server) makeBucket(ctx context.Context, name string) error {
	if s.kind.scheme == "gs" {
		return s.gcs(ctx, http.MethodPost, fmt.Sprintf(`{"name": %q}`, name))
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	return c.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: Region})
}

// gcs makes a request about the buckets of a Google Cloud Storage server.
func (s *Server) gcs(ctx context.Context, method, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+"/storage/v1/b?project=test", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, req.URL, resp.Status)
	}
	return nil
}

// clientEnv sets the environment so that clients in this process and its
// children use the server's account, and no settings of the user.
func (s *Server) clientEnv() {
	if s.kind.scheme == "gs" {
		return // their URLs have all that clients need
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": filepath.Join(s.dir, "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(s.dir, "none"),
	} {
		os.Setenv(name, value)
	}
	for _, name := range []string{
		"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		os.Unsetenv(name)
	}
}
