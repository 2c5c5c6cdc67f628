package proofs

import (
	"strings"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/servers"
)

// place is where a registry is, as workers reach it.
type place struct {
	url string
	env []string
}

// server is one that a test runs on; nil is a directory.
type server struct {
	name  string
	start func(testing.TB) *servers.Server // shared by all tests
}

var (
	directory = server{name: "files"}
	minio     = server{"minio", servers.MinIO}
	versity   = server{"versitygw", servers.VersityGW}
	gcs       = server{"gcs", servers.GCS}
)

// onEach runs a test on each of some stores.
func onEach(t *testing.T, on []server, test func(t *testing.T, s server)) {
	for _, s := range on {
		t.Run(s.name, func(t *testing.T) { test(t, s) })
	}
}

// location is a new registry and its server, which is nil for a directory.
type location struct {
	server *servers.Server
	bucket string
	direct *registry.Registry
	place
}

// fresh makes a new registry.
func (s server) fresh(t *testing.T) *location {
	t.Helper()
	if s.start == nil {
		url := t.TempDir()
		return &location{direct: create(t, url, nil), place: place{url: url}}
	}
	return on(t, s.start(t), nil)
}

// on makes a new registry in a new bucket of a server.
func on(t *testing.T, s *servers.Server, opts *registry.Options) *location {
	t.Helper()
	bucket := s.Bucket(t)
	url := s.URL(bucket)
	return &location{s, bucket, create(t, url, opts), place{url: url}}
}

// by returns the same registry by way of a proxy at addr.
func (l *location) by(addr string) place {
	if strings.HasPrefix(l.url, "gs://") {
		return place{url: "gs://" + l.bucket + "?endpoint=http://" + addr}
	}
	return place{url: "s3://" + l.bucket + "?region=" + servers.Region + "&endpoint=http://" + addr}
}

func create(t *testing.T, url string, opts *registry.Options) *registry.Registry {
	t.Helper()
	var o registry.Options
	if opts != nil {
		o = *opts
	}
	o.Create = true
	r, err := registry.Open(t.Context(), url, &o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
