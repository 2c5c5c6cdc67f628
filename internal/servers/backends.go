package servers

import (
	"crypto/rand"
	"strings"
	"testing"
)

// Backend is a kind of store for tests.
type Backend struct {
	Name string
	// URL returns the location of a new, empty store. It ends in the given
	// name.
	URL func(t testing.TB, place string) string
}

// Backends are all kinds of stores. A test that runs on each of them must have
// the same result on all.
var Backends = []Backend{
	{"file", func(t testing.TB, place string) string { return t.TempDir() + "/" + place }},
	{"mem", func(t testing.TB, place string) string {
		return "mem://" + strings.ToLower(rand.Text()) + "-" + place
	}},
	{"minio", bucketOf(MinIO)},
	{"versitygw", bucketOf(VersityGW)},
	{"seaweedfs", bucketOf(SeaweedFS)},
	{"gofakes3", bucketOf(GoFakeS3)},
	{"ceph", bucketOf(CephRGW)},
	{"gcs", bucketOf(GCS)},
}

func bucketOf(start func(testing.TB) *Server) func(testing.TB, string) string {
	return func(t testing.TB, place string) string {
		s := start(t)
		return s.URL(s.Bucket(t) + "/" + place)
	}
}
