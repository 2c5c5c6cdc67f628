package registry

import (
	"testing"

	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/store"
	_ "github.com/mindtrace/registry/store/gcsstore"
	_ "github.com/mindtrace/registry/store/s3store"
)

// onEveryStore is onEachStore with buckets of real servers among the stores.
// The servers work side by side: some answer slowly.
func onEveryStore(t *testing.T, test func(t *testing.T, st store.Store)) {
	onEachStore(t, test)
	for name, start := range map[string]func(testing.TB) *servers.Server{
		"minio": servers.MinIO, "versitygw": servers.VersityGW, "seaweedfs": servers.SeaweedFS,
		"gofakes3": servers.GoFakeS3, "gcs": servers.GCS,
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("real servers")
			}
			t.Parallel()
			s := start(t)
			st, err := store.Open(t.Context(), s.URL(s.Bucket(t)+"/some/where"))
			if err != nil {
				t.Fatal(err)
			}
			test(t, st)
		})
	}
}
