// Package servers runs the real servers that tests need: MinIO, the Versity
// S3 gateway, SeaweedFS, gofakes3 and a Google Cloud Storage server, each on a
// free port of the loopback interface and with its data in a temporary
// directory.
//
// A test binary starts one server of a kind, when a test first asks for it,
// and all its tests share that one, each in a bucket of its own. A test that
// kills its server asks for a private one. For them to end with the tests,
// TestMain goes through Wrap:
//
//	func TestMain(m *testing.M) { os.Exit(servers.Wrap(m).Run()) }
//
// The binaries come from package serverbin. Without them (plain go test) tests that
// need a server are skipped; with them, a server that does not start is
// a failure.
package servers

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mindtrace/registry/internal/serverbin"
)

// The only account of every S3 server here. The process environment is set so
// that clients find it.
const (
	AccessKey = "mindreg-test"
	SecretKey = "mindreg-test-secret"
	Region    = "us-east-1"
)

// MinIO returns the MinIO of this test binary.
func MinIO(t testing.TB) *Server { return shared(t, minioKind) }

// VersityGW returns the Versity S3 gateway of this test binary.
func VersityGW(t testing.TB) *Server { return shared(t, versityKind) }

// SeaweedFS returns the SeaweedFS of this test binary. It lists by path
// component.
func SeaweedFS(t testing.TB) *Server { return shared(t, seaweedKind) }

// GoFakeS3 returns the gofakes3 of this test binary. It keeps its data in
// memory.
func GoFakeS3(t testing.TB) *Server { return shared(t, gofakes3Kind) }

// GCS returns the Google Cloud Storage server of this test binary.
func GCS(t testing.TB) *Server { return shared(t, gcsKind) }

// PrivateMinIO starts a MinIO for this test alone.
func PrivateMinIO(t testing.TB) *Server { return private(t, minioKind) }

// PrivateVersityGW starts a Versity S3 gateway for this test alone.
func PrivateVersityGW(t testing.TB) *Server { return private(t, versityKind) }

// PrivateGCS starts a Google Cloud Storage server for this test alone.
func PrivateGCS(t testing.TB) *Server { return private(t, gcsKind) }

// TwoPoolMinIO starts a MinIO with two server pools for this test alone. Its
// conditional puts are not safe.
func TwoPoolMinIO(t testing.TB) *Server { return private(t, twoPoolKind) }

// TLSMinIO starts a MinIO that speaks TLS, with an untrusted certificate, for
// this test alone.
func TLSMinIO(t testing.TB) *Server { return private(t, tlsKind) }

// S3 are the S3 servers by name, for tests that must pass on each of them.
var S3 = []struct {
	Name  string
	Start func(testing.TB) *Server
}{
	{"minio", MinIO}, {"versitygw", VersityGW}, {"seaweedfs", SeaweedFS}, {"gofakes3", GoFakeS3},
	{"ceph", CephRGW},
}

// all are the servers of this process.
var all struct {
	sync.Mutex
	wrapped bool
	shared  map[*kind]*Server
	failed  map[*kind]error
}

// Runner is the interface of testing.M: Run runs the tests and returns an exit
// code.
type Runner interface{ Run() int }

// Wrap returns a Runner that runs m and then stops the shared servers and
// removes their data.
func Wrap(m Runner) Runner {
	all.Lock()
	defer all.Unlock()
	all.wrapped = true
	return wrapped{m}
}

type wrapped struct{ m Runner }

func (w wrapped) Run() int {
	defer func() {
		all.Lock()
		defer all.Unlock()
		for _, s := range all.shared {
			s.remove()
		}
	}()
	return w.m.Run()
}

func shared(t testing.TB, k *kind) *Server {
	t.Helper()
	return sharedBin(t, k, binary(t, k))
}

// sharedBin is shared with a binary that the tests have not built.
func sharedBin(t testing.TB, k *kind, bin string) *Server {
	t.Helper()
	all.Lock()
	defer all.Unlock()
	if !all.wrapped {
		t.Fatal("servers: TestMain must run the tests through servers.Wrap")
	}
	if s := all.shared[k]; s != nil {
		return s
	}
	if err := all.failed[k]; err != nil {
		t.Fatal(err)
	}
	s, err := start(k, bin)
	if err != nil {
		if all.failed == nil {
			all.failed = map[*kind]error{}
		}
		all.failed[k] = err
		t.Fatal(err)
	}
	if all.shared == nil {
		all.shared = map[*kind]*Server{}
	}
	all.shared[k] = s
	return s
}

func private(t testing.TB, k *kind) *Server {
	t.Helper()
	s, err := start(k, binary(t, k))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

// Binary returns the path of a server's binary (minio, versitygw, gcs) for
// a test that starts it itself. Without the binary the test is skipped.
func Binary(t testing.TB, tool string) string {
	t.Helper()
	return binary(t, &kind{tool: tool})
}

// binary returns the path of the server's binary, or ends the test.
func binary(t testing.TB, k *kind) string {
	t.Helper()
	list := os.Getenv(serverbin.Env)
	if list == "" {
		t.Skipf("it needs %s: run make test, which builds it (or make servers, once, and set %s to what that prints)", k.tool, serverbin.Env)
	}
	for _, entry := range filepath.SplitList(list) {
		if name, path, _ := strings.Cut(entry, "="); name == k.tool {
			if path == "" {
				t.Skipf("it needs %s, which make test fetches with Python's pip, on Linux and macOS; there was none", k.tool)
			}
			return path
		}
	}
	t.Fatalf("servers: $%s names no %s", serverbin.Env, k.tool)
	return ""
}

// URL returns the location of a store in bucket, which may be followed by
// a prefix: "bucket/a/b".
func (s *Server) URL(bucket string) string {
	if s.kind.scheme == "gs" {
		return "gs://" + bucket + "?" + url.Values{"endpoint": {s.Endpoint()}}.Encode()
	}
	q := url.Values{"endpoint": {s.Endpoint()}, "region": {Region}}
	return fmt.Sprintf("s3://%s?%s", bucket, q.Encode())
}

// Endpoint returns the base URL of the server.
func (s *Server) Endpoint() string {
	if s.kind == tlsKind {
		return "https://" + s.addr
	}
	return "http://" + s.addr
}

// Addr returns the server's address, as host:port.
func (s *Server) Addr() string { return s.addr }

// Slow reports whether races for one key take seconds on this server. Then
// a test should run fewer races.
func (s *Server) Slow() bool { return s.kind.slow }

// ByComponent reports whether the server lists by path component, which takes
// more requests to sort.
func (s *Server) ByComponent() bool { return s.kind == seaweedKind }

// Open reports whether the server accepts every request, whatever its signature.
func (s *Server) Open() bool { return s.kind.open }

// Errs reports whether the server sometimes answers a read that races with
// a put with an error. A test has to retry such a read, as the registry does.
func (s *Server) Errs() bool { return s.kind.errs }
