package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// SeaweedFS as one process: master, volume server, filer and S3 gateway, each
// of which listens on a port of its own and on one for gRPC. Each bucket has
// volumes of its own: one at a time, and as many as there are tests.
var seaweedKind = &kind{
	tool: "seaweedfs", scheme: "s3", slow: true, env: []string{"GOMAXPROCS=2", "WEED_MASTER_VOLUME_GROWTH_COPY_1=1"},
	prepare: func(dir string) error {
		if err := os.MkdirAll(filepath.Join(dir, "data"), 0o777); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "s3.json"), fmt.Appendf(nil, `{"identities": [{"name": "test",
			"credentials": [{"accessKey": %q, "secretKey": %q}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}`,
			AccessKey, SecretKey), 0o600)
	},
	args: func(addr, dir string) []string {
		args := []string{
			"server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=" + filepath.Join(dir, "data"),
			"-master.volumeSizeLimitMB=64", "-volume.max=2000", "-master.telemetry=false",
			"-filer", "-s3", "-s3.config=" + filepath.Join(dir, "s3.json"), "-s3.autoCreateBucket=false",
			"-s3.port.iceberg=0", "-s3.port.lance=0",
		}
		_, port, _ := net.SplitHostPort(addr)
		args = append(args, "-s3.port="+port)
		flags := []string{"s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"}
		for i, port := range freePorts(len(flags)) {
			args = append(args, "-"+flags[i]+"="+strconv.Itoa(port))
		}
		return args
	},
}

// freePorts returns n ports on which nothing listens.
func freePorts(n int) []int {
	var ports []int
	for len(ports) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			break // the server then says which port it misses
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
