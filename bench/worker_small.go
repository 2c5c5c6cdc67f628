package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/minio/minio-go/v7"

	registry "github.com/mindtrace/registry"
	_ "github.com/mindtrace/registry/store/s3store"
)

// small is the object of the small loops: 1 KiB.
func small() []byte {
	b := make([]byte, 1<<10)
	io.ReadFull(noise(9), b)
	return b
}

// barePut is what no file can do without that is to be atomic and durable: it
// is written beside its name, flushed, linked, and the directory flushed.
func barePut(dir, name string, body []byte) error {
	temp := filepath.Join(dir, "."+name)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := errors.Join(os.Link(temp, filepath.Join(dir, name)), os.Remove(temp)); err != nil {
		return err
	}
	return flushDir(dir)
}

// bareNewPut is barePut into a directory of its own, which is as durable.
func bareNewPut(parent, name string, body []byte) error {
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	if err := barePut(dir, name, body); err != nil {
		return err
	}
	return flushDir(parent)
}

func flushDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// barePutWorker: DIR COUNT SAVERS "one", "versions" or "names": all into one
// directory, each saver into its own, or each file into its own.
func barePutWorker(_ context.Context, args []string) (*sample, error) {
	body := small()
	dirs := make([]string, number(args[2]))
	for saver := range dirs {
		dirs[saver] = args[0]
		if args[3] == "versions" {
			dirs[saver] = filepath.Join(args[0], fmt.Sprint(saver))
			if err := os.Mkdir(dirs[saver], 0o777); err != nil {
				return nil, err
			}
		}
	}
	put := barePut
	if args[3] == "names" {
		put = bareNewPut
	}
	return loop(len(dirs), number(args[1]), func(saver, i int) error { return put(dirs[saver], fmt.Sprint(i), body) })
}

// saveWorker: REGISTRY COUNT SAVERS "versions" or "names": each saver saves
// versions of one object, or each save is of another object.
func saveWorker(ctx context.Context, args []string) (*sample, error) {
	r, err := registry.Open(ctx, args[0], nil)
	if err != nil {
		return nil, err
	}
	body := small()
	s, err := loop(number(args[2]), number(args[1]), func(saver, i int) error {
		name := fmt.Sprint("m:", saver)
		if args[3] == "names" {
			name = fmt.Sprint("m:", i)
		}
		_, err := r.Save(ctx, name, body)
		return err
	})
	if err != nil {
		return nil, err
	}
	got, err := registry.Load[[]byte](ctx, r, "m:0")
	if err == nil && !bytes.Equal(got, body) {
		err = errors.New("what was loaded is not what was saved")
	}
	return s, err
}

// counter passes requests on to a server and counts them.
type counter struct {
	*httptest.Server
	n atomic.Int64
}

func countRequests(addr string) *counter {
	c := &counter{}
	target := &url.URL{Scheme: "http", Host: addr}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.n.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	return c
}

// addr is the counter's own address.
func (c *counter) addr() string { return c.Listener.Addr().String() }

// bareS3Worker: BUCKET COUNT "save" or "load": as many requests as mindreg
// makes, a listing and a put or a get.
func bareS3Worker(ctx context.Context, args []string) (*sample, error) {
	c, err := workerClient()
	if err != nil {
		return nil, err
	}
	body, bucket, n := small(), args[0], number(args[1])
	put := func(i int) error {
		_, err := c.PutObject(ctx, bucket, fmt.Sprintf("o/%06d/v", i), bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{})
		return err
	}
	list := func(i int) error {
		for o := range c.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: fmt.Sprintf("o/%06d/", i), Recursive: true}) {
			if o.Err != nil {
				return o.Err
			}
		}
		return nil
	}
	if args[2] == "save" {
		return loop(1, n, func(_, i int) error { return errors.Join(list(i), put(i)) })
	}
	if _, err := loop(4, n, func(_, i int) error { return put(i) }); err != nil {
		return nil, err
	}
	return loop(1, n, func(_, i int) error {
		if err := list(i); err != nil {
			return err
		}
		o, err := c.GetObject(ctx, bucket, fmt.Sprintf("o/%06d/v", i), minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		got, err := io.ReadAll(o)
		if err == nil && !bytes.Equal(got, body) {
			err = errors.New("what was read is not what was put")
		}
		return errors.Join(err, o.Close())
	})
}

// mindS3Worker: BUCKET COUNT "save" or "load". The requests are counted
// beforehand, so that counting slows nothing down.
func mindS3Worker(ctx context.Context, args []string) (*sample, error) {
	addr, bucket, n := os.Getenv("BENCH_S3_ADDR"), args[0], number(args[1])
	body := small()
	count := countRequests(addr)
	defer count.Close()
	counted, err := registry.Open(ctx, s3url(count.addr(), bucket), nil)
	if err != nil {
		return nil, err
	}
	r, err := registry.Open(ctx, s3url(addr, bucket), nil)
	if err != nil {
		return nil, err
	}
	save := func(r *registry.Registry, name string) error {
		_, err := r.Save(ctx, name, body)
		return err
	}
	load := func(r *registry.Registry, name string) error {
		got, err := registry.Load[[]byte](ctx, r, name)
		if err == nil && !bytes.Equal(got, body) {
			err = errors.New("what was loaded is not what was saved")
		}
		return err
	}
	const few = 10
	do := save
	if args[2] == "load" {
		do = load
		for i := range few {
			if err := save(r, fmt.Sprint("c:", i)); err != nil {
				return nil, err
			}
		}
		if _, err := loop(4, n, func(_, i int) error { return save(r, fmt.Sprint("o:", i)) }); err != nil {
			return nil, err
		}
	}
	if err := do(counted, "c:0"); err != nil { // connects
		return nil, err
	}
	before := count.n.Load()
	for i := 1; i < few; i++ {
		if err := do(counted, fmt.Sprint("c:", i)); err != nil {
			return nil, err
		}
	}
	requests := float64(count.n.Load()-before) / (few - 1)
	s, err := loop(1, n, func(_, i int) error { return do(r, fmt.Sprint("o:", i)) })
	if err != nil {
		return nil, err
	}
	s.Extra = map[string]float64{"requests": requests}
	return s, nil
}
