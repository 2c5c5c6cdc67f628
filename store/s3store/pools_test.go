package s3store_test

import (
	"errors"
	"testing"

	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
)

func TestProbe(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, bucket string) {
		st := open(t, s.URL(bucket))
		if err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: []store.Store{st, open(t, s.URL(bucket))}, Prefix: "probe/x/"}); err != nil {
			t.Error(err)
		}
		for info, err := range st.List(t.Context(), "", "") {
			t.Errorf("the probe left %s, %v", info.Key, err)
		}
	})
}

// MinIO with two server pools looks for an existing key in only one of them
// and lets many a create through. Neither the probe nor the checks may take it
// for a store.
func TestTwoPoolsRefused(t *testing.T) {
	s := servers.TwoPoolMinIO(t)
	bucket := s.Bucket(t)
	conns := []store.Store{open(t, s.URL(bucket)), open(t, s.URL(bucket))}
	if err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: conns, Prefix: "probe/x/"}); !errors.Is(err, storecheck.ErrBroken) {
		t.Errorf("the probe says %v", err)
	} else {
		t.Log(err)
	}
	for _, c := range storecheck.All() {
		if c.Name != "create-existing" {
			continue
		}
		if err := c.Run(t.Context(), &storecheck.Env{Conns: conns, Prefix: "check/"}); err == nil {
			t.Error("the check passed")
		} else {
			t.Log(err)
		}
	}
}

// S3proxy compares and then writes: it refuses what is asked one call after the
// other, and lets several of many swaps at once succeed. The probe finds that
// each time.
func TestS3ProxyRefused(t *testing.T) {
	s := servers.S3Proxy(t)
	for range 10 {
		st := open(t, s.URL(s.Bucket(t)))
		err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: []store.Store{st}, Prefix: "probe/x/"})
		if !errors.Is(err, storecheck.ErrBroken) {
			t.Errorf("the probe says %v", err)
		}
	}
}
