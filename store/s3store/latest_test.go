package s3store_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/faultproxy"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/store"
)

// seedRegisters puts the registers of versions 1.0.0 to 1.0.<n-1> of m.
func seedRegisters(t *testing.T, location string, n int) {
	t.Helper()
	st, err := store.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			m := manifest.NewManifest("m", registry.Version{Major: 1}, time.Now())
			m.Content.Materializer = "string"
			m.Content.Files = []manifest.File{{Path: "value.txt", Size: 4, SHA256: manifest.Sum([]byte("seed"))}}
			m.Placement.Inline = []byte("seed")
			if err := m.Seal(); err != nil {
				t.Error(err)
				return
			}
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				m.Version.Patch = uint64(i)
				body, err := m.Encode()
				if err == nil {
					_, err = st.Put(t.Context(), manifest.VersionKey("m", m.Version), body, store.Absent)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Finding the latest of thousands of versions, and saving the next, takes
// three requests to a server, too.
func TestLatestOfManyVersions(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, _ string) {
		n := 2100
		if testing.Short() {
			n = 1100
		}
		bucket := s.Bucket(t)
		openRegistry(t, s.URL(bucket))
		seedRegisters(t, s.URL(bucket), n)
		var requests atomic.Int64
		p := faultproxy.Start(t, s.Addr(), func(*http.Request) faultproxy.Fault {
			requests.Add(1)
			return faultproxy.Fault{}
		})
		r := openRegistry(t, through(p, bucket))
		count := func(what string, limit int64, do func()) {
			requests.Store(0)
			start := time.Now()
			do()
			t.Logf("%s: %d requests, %s", what, requests.Load(), time.Since(start).Round(time.Millisecond))
			if s.ByComponent() {
				limit += 4 // directories that a walk after a version leaves out
			}
			if got := requests.Load(); got > limit {
				t.Errorf("%s takes %d requests, the limit is %d", what, got, limit)
			}
		}
		save := func() {
			if _, err := r.Save(t.Context(), "m", "new"); err != nil {
				t.Fatal(err)
			}
		}
		load := func() {
			if got, err := registry.Load[string](t.Context(), r, "m"); err != nil || got != "new" {
				t.Errorf("loaded %q, %v", got, err)
			}
		}
		count("the first save", int64(n)/1000+5, save) // looks through all
		count("load the latest", 3, load)
		count("save", 3, save)
		count("load the latest again", 3, load)
		if _, err := r.Save(t.Context(), "small", "new"); err != nil {
			t.Fatal(err)
		}
		count("load the only version", 2, func() {
			if _, err := registry.Load[string](t.Context(), r, "small"); err != nil {
				t.Error(err)
			}
		})
	})
}
