package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	accessKey = "mindreg-bench"
	secretKey = "mindreg-bench-secret"
	region    = "us-east-1"
)

// server is a server on the loopback interface, with its data beside the
// rest.
type server struct {
	addr string
	cmd  *exec.Cmd
	log  string
}

// serve starts a server and waits until its address answers.
func (e *env) serve(name string, cmd func(addr, dir string) *exec.Cmd) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	dir := e.path(name + "-data")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	s := &server{addr: addr, cmd: cmd(addr, dir), log: e.path(name + ".log")}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = log, log, dir
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 600 {
		resp, err := http.Get("http://" + addr + "/")
		if err == nil {
			resp.Body.Close()
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer; see %s", name, s.log)
}

func (s *server) stop() {
	if s != nil && s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}

// startServers starts MinIO, and the registry that oras pushes to.
func (e *env) startServers() error {
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		os.Unsetenv(name)
	}
	if e.tools.minio.why == "" {
		s, err := e.serve("minio", func(addr, dir string) *exec.Cmd {
			cmd := exec.Command(e.tools.minio.path, "server", "--quiet", "--address", addr, filepath.Join(dir, "data"))
			cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey,
				"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1")
			return cmd
		})
		if err != nil {
			return err
		}
		e.minio = s
		e.clientEnv = []string{
			"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONFIG_FILE=" + e.path("none"), "AWS_SHARED_CREDENTIALS_FILE=" + e.path("none"),
			"MC_HOST_m=http://" + accessKey + ":" + secretKey + "@" + s.addr, "MC_CONFIG_DIR=" + e.path("mc"),
			"RCLONE_CONFIG=" + e.path("rclone.conf"), "RCLONE_CONFIG_M_TYPE=s3", "RCLONE_CONFIG_M_PROVIDER=Minio",
			"RCLONE_CONFIG_M_ENDPOINT=http://" + s.addr, "RCLONE_CONFIG_M_REGION=" + region, "RCLONE_CONFIG_M_ENV_AUTH=true",
			"BENCH_S3_ADDR=" + s.addr,
		}
		for range 100 { // it listens before it works
			c, err := s3client(s.addr)
			if err != nil {
				return err
			}
			if _, err = c.ListBuckets(context.Background()); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if e.tools.distribution.why == "" {
		s, err := e.serve("oci", func(addr, dir string) *exec.Cmd {
			config := filepath.Join(dir, "config.yml")
			text := fmt.Sprintf("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: %s\n  delete:\n    enabled: true\nhttp:\n  addr: %s\n", filepath.Join(dir, "data"), addr)
			os.WriteFile(config, []byte(text), 0o666)
			cmd := exec.Command(e.tools.distribution.path, "serve", config)
			cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
			return cmd
		})
		if err != nil {
			return err
		}
		e.oci = s
	}
	return nil
}

func (e *env) stopServers() {
	e.minio.stop()
	e.oci.stop()
}

// s3client is minio-go as it comes.
func s3client(addr string) (*minio.Client, error) {
	return minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: region})
}

// bucket makes a new bucket, and returns a function that removes it and all
// that it holds.
func (e *env) bucket() (name string, drop func() error, err error) {
	c, err := s3client(e.minio.addr)
	if err != nil {
		return "", nil, err
	}
	e.buckets++
	name = fmt.Sprintf("bench-%d", e.buckets)
	if err := c.MakeBucket(context.Background(), name, minio.MakeBucketOptions{}); err != nil {
		return "", nil, err
	}
	return name, func() error {
		return c.RemoveBucketWithOptions(context.Background(), name, minio.RemoveBucketOptions{ForceDelete: true})
	}, nil
}

// s3url is the URL of a registry in a bucket behind addr.
func s3url(addr, bucket string) string {
	q := url.Values{"endpoint": {"http://" + addr}, "region": {region}}
	return fmt.Sprintf("s3://%s?%s", bucket, q.Encode())
}
