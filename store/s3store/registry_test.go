package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/faultproxy"
	"github.com/mindtrace/registry/internal/servers"
)

// bytesOf returns n bytes that depend on seed.
func bytesOf(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// through returns the location of bucket by way of a proxy.
func through(p *faultproxy.Proxy, bucket string) string {
	return "s3://" + bucket + "?region=" + servers.Region + "&endpoint=http://" + p.Addr()
}

func openRegistry(t *testing.T, location string) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), location, &registry.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// contents loads all versions of name, by content.
func contents(t *testing.T, r *registry.Registry, name string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for info, err := range r.Versions(t.Context(), name) {
		if errors.Is(err, registry.ErrNotFound) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		if err := r.Load(t.Context(), fmt.Sprintf("%s@%s", name, info.Version), &body); err != nil {
			t.Errorf("%s is visible and does not load: %v", info.Version, err)
			continue
		}
		found[string(body)] = append(found[string(body)], info.Version.String())
	}
	return found
}

// Savers on a network that loses, repeats, delays and cuts: what was
// acknowledged loads, what definitely failed is not to be seen, and nothing
// is there twice.
func TestSavesThroughFaults(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, _ string) {
		for seed, share := range []float64{0.05, 0.2} {
			if s.Slow() && share > 0.1 {
				continue // a minute of waiting for what 5 % show, too
			}
			t.Run(fmt.Sprintf("%.0f%%", 100*share), func(t *testing.T) {
				bucket := s.Bucket(t)
				direct := openRegistry(t, s.URL(bucket))
				p := faultproxy.Start(t, s.Addr(), faultproxy.Random(uint64(seed), share))
				const savers, each = 4, 5
				var mu sync.Mutex
				acked, failed, unknown := map[string]string{}, map[string]error{}, 0
				var wg sync.WaitGroup
				for i := range savers {
					wg.Go(func() {
						r, err := registry.Open(t.Context(), through(p, bucket), nil)
						if err != nil {
							t.Errorf("open: %v", err)
							return
						}
						for k := range each {
							// Some inline, some of one pack, some of several.
							body := bytesOf(uint64(i*each+k+1), []int{100, 3 << 20, 700 << 10, 20 << 20, 5000}[k])
							v, err := r.Save(t.Context(), "m", body)
							var back []byte
							if err == nil {
								err = r.Load(t.Context(), fmt.Sprintf("m@%s", v), &back)
								if err != nil || !bytes.Equal(back, body) {
									t.Errorf("%s was acknowledged and does not load: %v", v, err)
								}
							}
							mu.Lock()
							switch {
							case err == nil:
								acked[string(body)] = v.String()
							case errors.Is(err, registry.ErrOutcomeUnknown):
								unknown++
							default:
								failed[string(body)] = err
							}
							mu.Unlock()
						}
					})
				}
				wg.Wait()
				p.Settle() // nothing is on its way any more
				found := contents(t, direct, "m")
				for body, version := range acked {
					if got := found[body]; len(got) != 1 || got[0] != version {
						t.Errorf("saved as %s, there as %v", version, got)
					}
				}
				for body, err := range failed {
					t.Logf("failed: %v", err)
					if got := found[body]; len(got) > 0 {
						t.Errorf("a save failed with %v and is there as %v", err, got)
					}
				}
				if len(acked) == 0 || p.Faults() == 0 {
					t.Errorf("%d saves acknowledged, %d faults: nothing was tested", len(acked), p.Faults())
				}
				t.Logf("%d acknowledged, %d failed, %d unknown, %d faults", len(acked), len(failed), unknown, p.Faults())
			})
		}
	})
}

// A load balancer that repeats every put: the second is refused because of
// the first, and its answer is what comes back.
func TestEveryPutTwice(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, bucket string) {
		openRegistry(t, s.URL(bucket)) // its probe would not take such a place for sound
		p := faultproxy.Start(t, s.Addr(), func(r *http.Request) faultproxy.Fault {
			return faultproxy.Fault{Twice: r.Method == http.MethodPut}
		})
		r := openRegistry(t, through(p, bucket))
		for range 3 {
			if _, err := r.Save(t.Context(), "m", bytesOf(1, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Delete(t.Context(), "m@1.0.1", nil); err != nil {
			t.Error(err)
		}
		if got := contents(t, r, "m"); len(got) != 1 || len(got[string(bytesOf(1, 1<<20))]) != 2 {
			t.Errorf("three saves and a delete: %d contents", len(got))
		}
	})
}

// The server is killed and started again in the middle of saves and loads:
// they take longer, and that is all.
func TestServerRestart(t *testing.T) {
	for _, tt := range []struct {
		name  string
		start func(testing.TB) *servers.Server
	}{{"minio", servers.PrivateMinIO}, {"versitygw", servers.PrivateVersityGW}} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.start(t)
			bucket := s.Bucket(t)
			r := openRegistry(t, s.URL(bucket))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var mu sync.Mutex
			acked := map[string]string{}
			var wg sync.WaitGroup
			for i := range 3 {
				wg.Go(func() {
					for k := 0; ctx.Err() == nil; k++ {
						body := bytesOf(uint64(1000*i+k+1), 2<<20)
						v, err := r.Save(t.Context(), "m", body)
						if err != nil {
							t.Errorf("save: %v", err)
							return
						}
						var back []byte
						if err := r.Load(t.Context(), "m@"+v.String(), &back); err != nil || !bytes.Equal(back, body) {
							t.Errorf("load: %v", err)
						}
						mu.Lock()
						acked[string(body)] = v.String()
						mu.Unlock()
					}
				})
			}
			count := func() int {
				mu.Lock()
				defer mu.Unlock()
				return len(acked)
			}
			for range 3 {
				for n := count(); count() < n+3 && !t.Failed(); { // some go well
					time.Sleep(10 * time.Millisecond)
				}
				s.Kill()
				time.Sleep(300 * time.Millisecond)
				if err := s.Restart(); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			wg.Wait()
			found := contents(t, r, "m")
			for body, version := range acked {
				if got := strings.Join(found[body], " "); got != version {
					t.Errorf("saved as %s, there as %q", version, got)
				}
			}
			if len(found) != len(acked) {
				t.Errorf("%d acknowledged, %d there", len(acked), len(found))
			}
		})
	}
}
