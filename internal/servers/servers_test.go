package servers_test

import (
	"net"
	"os"
	"testing"

	"github.com/mindtrace/registry/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Wrap(m).Run()) }

func TestSharedOnce(t *testing.T) {
	if a, b := servers.VersityGW(t), servers.VersityGW(t); a != b {
		t.Error("two tests of a binary do not share a server")
	}
}

func TestKillAndRestart(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *servers.Server{
		"minio": servers.PrivateMinIO, "versitygw": servers.PrivateVersityGW, "tls": servers.TLSMinIO,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			bucket, addr := s.Bucket(t), s.Addr()
			s.Kill()
			if c, err := net.Dial("tcp", addr); err == nil {
				c.Close()
				t.Error("somebody listens after Kill")
			}
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			c, err := s.Client()
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := c.BucketExists(t.Context(), bucket); err != nil || !ok {
				t.Errorf("after a restart the bucket is gone (%v)", err)
			}
		})
	}
}
