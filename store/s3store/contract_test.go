package s3store_test

import (
	"testing"

	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	_ "github.com/mindtrace/registry/store/s3store"
	"github.com/mindtrace/registry/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(servers.Wrap(m)) }

// open opens the store at a URL.
func open(t testing.TB, url string) store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// onEachServer runs a test on a new bucket of each S3 server. The servers work
// side by side: some answer slowly, and have nothing to do meanwhile.
func onEachServer(t *testing.T, test func(t *testing.T, s *servers.Server, bucket string)) {
	oneByOne(t, func(t *testing.T, s *servers.Server, bucket string) {
		t.Parallel()
		test(t, s, bucket)
	})
}

// oneByOne is onEachServer for tests that change the environment.
func oneByOne(t *testing.T, test func(t *testing.T, s *servers.Server, bucket string)) {
	for _, s := range servers.S3 {
		t.Run(s.Name, func(t *testing.T) {
			server := s.Start(t)
			test(t, server, server.Bucket(t))
		})
	}
}

// rounds is how often to race on a server.
func rounds(s *servers.Server) int {
	if s.Slow() {
		return 3
	}
	return 20
}

// Eight connections, each with a client of its own.
func TestContract(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, bucket string) {
		conns := make([]store.Store, 8)
		for i := range conns {
			if conns[i] = open(t, s.URL(bucket+"/some/prefix")); s.Errs() {
				conns[i] = wrapstore.Retry(conns[i], wrapstore.RetryPolicy{})
			}
		}
		storetest.Run(t, conns, &storetest.Options{Rounds: rounds(s), Keys: 2100})
	})
}

// Four processes: what eight clients do, but across processes.
func TestContractBetweenProcesses(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, bucket string) {
		storetest.Run(t, storetest.Processes(t, s.URL(bucket), 4), &storetest.Options{Rounds: rounds(s), Keys: 200})
	})
}
