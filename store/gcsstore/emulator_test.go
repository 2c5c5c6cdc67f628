package gcsstore_test

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/store/gcsstore"
	"github.com/mindtrace/registry/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(servers.Wrap(m)) }

// emulator starts the server of tools/gcs and returns its URL. It has
// a directory of its own, unless flags name one.
func emulator(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := exec.Command(servers.Binary(t, "gcs"), append([]string{"-dir", t.TempDir()}, flags...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server of tools/gcs did not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// location is the URL of a store in a new bucket of the emulator at endpoint.
func location(t *testing.T, endpoint, bucket string) string {
	t.Helper()
	st := open(t, gcsstore.Options{Bucket: bucket, Endpoint: endpoint, Project: "test"})
	if err := st.MakeBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return "gs://" + bucket + "?endpoint=" + url.QueryEscape(endpoint)
}

func open(t testing.TB, o gcsstore.Options) *gcsstore.Store {
	t.Helper()
	st, err := gcsstore.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return st
}
