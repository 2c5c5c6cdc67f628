package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

// latest: the latest of few versions, and of many.
func (e *env) latest(p *place) *bcase {
	n := e.count(100000)
	few, many := "latest of 10 versions", fmt.Sprintf("latest of %d versions", n)
	run := func(name, loads string) func() (sample, error) {
		return func() (sample, error) { return e.worker("latest", p.url(), name, loads).reported() }
	}
	return &bcase{
		name: "latest-" + p.name, title: fmt.Sprintf("Load the latest of %d versions, %s", n, p.name),
		note:   "The registers are put straight into the store, and only the last version is saved. Requests are those of one load. Each page of a listing is one request.",
		rounds: e.rounds(3), loop: true,
		setup: func() error {
			if err := p.prepare(); err != nil {
				return err
			}
			if err := e.worker("seed", p.url(), "few", "10").must(); err != nil {
				return err
			}
			return e.worker("seed", p.url(), "many", fmt.Sprint(n)).must()
		},
		clean: p.clean,
		runs: []*competitor{
			{name: few, run: run("few", "200")},
			{name: many, run: run("many", "200")},
		},
		targets: []target{
			extraAtMost(many, "requests", 3, "requests ≤ 3", "%.4g requests"),
			atMost(many, 2, few),
		},
	}
}

func init() { workers["seed"] = seedWorker }

// seedWorker: REGISTRY NAME COUNT gives an object COUNT versions. The first and
// the last are saved. The registers between are copies of the first with other
// numbers and nonces.
func seedWorker(ctx context.Context, args []string) (*sample, error) {
	location, name, n := args[0], args[1], number(args[2])
	st, err := store.Open(ctx, location)
	if err != nil {
		return nil, err
	}
	r, err := registry.OpenStore(ctx, st, location, nil)
	if err != nil {
		return nil, err
	}
	first, err := r.Save(ctx, name, small())
	if err != nil {
		return nil, err
	}
	body, _, err := st.Get(ctx, manifest.VersionKey(name, first), nil)
	if err != nil {
		return nil, err
	}
	put, done := putFiles(location)
	if strings.HasPrefix(location, "s3:") {
		put, done = putArchive(ctx, strings.TrimPrefix(location[:strings.Index(location, "?")], "s3://"))
	}
	for i := range n - 2 {
		m, err := manifest.Decode(body, name, first)
		if err != nil {
			return nil, err
		}
		m.Version.Patch += uint64(i) + 1
		m.Nonce = manifest.NewNonce()
		b, err := m.Encode()
		if err != nil {
			return nil, err
		}
		if err := put(manifest.VersionKey(name, m.Version), b); err != nil {
			return nil, err
		}
	}
	if err := done(); err != nil {
		return nil, err
	}
	last, err := r.Save(ctx, name, small())
	if err == nil && last.Patch != first.Patch+uint64(n)-1 {
		err = fmt.Errorf("the last of %d versions is %s: not all were put", n, last)
	}
	return nil, err
}

// putFiles writes keys as files into a directory, without flushing them.
func putFiles(dir string) (put func(key string, body []byte) error, done func() error) {
	return func(key string, body []byte) error {
		path := filepath.Join(dir, filepath.FromSlash(key))
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, body, 0o666))
	}, func() error { return nil }
}

// putArchive sends keys in archives that MinIO unpacks, about a thousand in
// a request.
func putArchive(ctx context.Context, bucket string) (put func(key string, body []byte) error, done func() error) {
	var batch []minio.SnowballObject
	send := func() error {
		c, err := workerClient()
		if err != nil || len(batch) == 0 {
			return err
		}
		objects := make(chan minio.SnowballObject, len(batch))
		for _, o := range batch {
			objects <- o
		}
		close(objects)
		batch = nil
		return c.PutObjectsSnowball(ctx, bucket, minio.SnowballOptions{InMemory: true}, objects)
	}
	return func(key string, body []byte) error {
		batch = append(batch, minio.SnowballObject{Key: key, Size: int64(len(body)), Content: bytes.NewReader(body)})
		if len(batch) < 5000 {
			return nil
		}
		return send()
	}, send
}

// latestWorker: REGISTRY NAME LOADS.
func latestWorker(ctx context.Context, args []string) (*sample, error) {
	location, name := args[0], args[1]
	requests, err := requestsOfLoad(ctx, location, name)
	if err != nil {
		return nil, err
	}
	r, err := registry.Open(ctx, location, nil)
	if err != nil {
		return nil, err
	}
	s, err := loop(1, number(args[2]), func(_, _ int) error { return loadSmall(ctx, r, name) })
	if err != nil {
		return nil, err
	}
	s.Extra = map[string]float64{"requests": requests}
	return s, nil
}

func loadSmall(ctx context.Context, r *registry.Registry, name string) error {
	got, err := registry.Load[[]byte](ctx, r, name)
	if err == nil && !bytes.Equal(got, small()) {
		err = errors.New("what was loaded is not what was saved")
	}
	return err
}

// requestsOfLoad counts the requests of one load that reach the server, or, in
// a directory, the calls of the store.
func requestsOfLoad(ctx context.Context, location, name string) (float64, error) {
	if !strings.HasPrefix(location, "s3:") {
		st, err := store.Open(ctx, location)
		if err != nil {
			return 0, err
		}
		trace := tracestore.New(st)
		r, err := registry.OpenStore(ctx, trace, location, nil)
		if err != nil {
			return 0, err
		}
		trace.Reset()
		err = loadSmall(ctx, r, name)
		return float64(trace.Count("")), err
	}
	addr := os.Getenv("BENCH_S3_ADDR")
	count := countRequests(addr)
	defer count.Close()
	r, err := registry.Open(ctx, strings.Replace(location, escapedAddr(addr), escapedAddr(count.addr()), 1), nil)
	if err != nil {
		return 0, err
	}
	before := count.n.Load()
	err = loadSmall(ctx, r, name)
	return float64(count.n.Load() - before), err
}

// escapedAddr is how an address looks in the query of a URL.
func escapedAddr(addr string) string { return strings.ReplaceAll(addr, ":", "%3A") }
