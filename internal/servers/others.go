package servers

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// OthersEnv is the variable with which make stores switches on the tests of
// servers that are too heavy for every run. Its value is the directory of the
// jars of s3proxy.
const OthersEnv = "MINDREG_TEST_STORES"

//go:embed ceph.sh
var cephScript []byte

// cephKind is Ceph's object gateway, from packages of the system.
var cephKind = &kind{
	tool: "radosgw", scheme: "s3", errs: true,
	prepare: func(dir string) error { return os.WriteFile(filepath.Join(dir, "ceph.sh"), cephScript, 0o600) },
	args: func(addr, dir string) []string {
		_, port, _ := net.SplitHostPort(addr)
		return []string{filepath.Join(dir, "ceph.sh"), port, dir, AccessKey, SecretKey, fmt.Sprint(freePorts(1)[0])}
	},
}

// s3proxyKind first compares and then writes: several swaps at once succeed.
var s3proxyKind = &kind{
	tool: "s3proxy", scheme: "s3",
	prepare: func(dir string) error {
		if err := os.MkdirAll(filepath.Join(dir, "data"), 0o777); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "s3proxy.conf"), fmt.Appendf(nil, `s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=%s
s3proxy.credential=%s
jclouds.provider=filesystem-nio2
jclouds.identity=none
jclouds.credential=none
jclouds.filesystem.basedir=%s
`, AccessKey, SecretKey, filepath.Join(dir, "data")), 0o600)
	},
	args: func(addr, dir string) []string {
		return []string{
			"-Ds3proxy.endpoint=http://" + addr, "-cp", filepath.Join(os.Getenv(OthersEnv), "*"),
			"org.gaul.s3proxy.Main", "--properties", filepath.Join(dir, "s3proxy.conf"),
		}
	},
}

// others skips the test unless make stores runs it, and fails the test if the
// program does not exist.
func others(t testing.TB, program string) {
	t.Helper()
	if os.Getenv(OthersEnv) == "" {
		t.Skip("it needs a server that is too heavy for every run: make stores")
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("servers: make stores needs %s: %v", program, err)
	}
}

// CephRGW returns the Ceph gateway of this test binary. It refuses an ETag in
// quotes.
func CephRGW(t testing.TB) *Server {
	others(t, "radosgw")
	return sharedBin(t, cephKind, "/bin/sh")
}

// S3Proxy starts an s3proxy for this test alone. It is not safe for a registry.
func S3Proxy(t testing.TB) *Server {
	others(t, "java")
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatal(err)
	}
	s, err := start(s3proxyKind, java)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}
