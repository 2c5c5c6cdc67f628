package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
)

// workers are the loops that run in a process of their own: bench worker NAME ARGS.
var workers = map[string]func(ctx context.Context, args []string) (*sample, error){
	"put":      putWorker,
	"get":      getWorker,
	"puttree":  putTreeWorker,
	"bareput":  barePutWorker,
	"save":     saveWorker,
	"bares3":   bareS3Worker,
	"minds3":   mindS3Worker,
	"original": originalWorker,
	"latest":   latestWorker,
}

func work(args []string) error {
	w := workers[args[0]]
	if w == nil {
		return fmt.Errorf("no worker %q", args[0])
	}
	s, err := w(context.Background(), args[1:])
	if err != nil || s == nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func workerClient() (*minio.Client, error) { return s3client(os.Getenv("BENCH_S3_ADDR")) }

// putWorker: BUCKET KEY FILE.
func putWorker(ctx context.Context, args []string) (*sample, error) {
	c, err := workerClient()
	if err != nil {
		return nil, err
	}
	_, err = c.FPutObject(ctx, args[0], args[1], args[2], minio.PutObjectOptions{})
	return nil, err
}

// getWorker: BUCKET KEY FILE.
func getWorker(ctx context.Context, args []string) (*sample, error) {
	c, err := workerClient()
	if err != nil {
		return nil, err
	}
	return nil, c.FGetObject(ctx, args[0], args[1], args[2], minio.GetObjectOptions{})
}

// putTreeWorker: BUCKET DIR PARALLEL.
func putTreeWorker(ctx context.Context, args []string) (*sample, error) {
	c, err := workerClient()
	if err != nil {
		return nil, err
	}
	var files []string
	err = filepath.WalkDir(args[1], func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	_, err = loop(number(args[2]), len(files), func(_, i int) error {
		rel, err := filepath.Rel(args[1], files[i])
		if err != nil {
			return err
		}
		_, err = c.FPutObject(ctx, args[0], filepath.ToSlash(rel), files[i], minio.PutObjectOptions{})
		return err
	})
	return nil, err
}

// loop does 0 to n-1 with so many goroutines.
func loop(goroutines, n int, do func(goroutine, i int) error) (*sample, error) {
	var wg sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, goroutines)
	begin, used := time.Now(), cpu()
	for g := range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[g] == nil; i = int(next.Add(1)) - 1 {
				errs[g] = do(g, i)
			}
		})
	}
	wg.Wait()
	s := &sample{Seconds: time.Since(begin).Seconds(), CPU: cpu() - used, Ops: float64(n)}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// loopFor does as many as it can in so many seconds, one after the other.
func loopFor(limit float64, do func(i int) error) (*sample, error) {
	begin, used := time.Now(), cpu()
	for i := 0; ; i++ {
		if took := time.Since(begin).Seconds(); took >= limit {
			return &sample{Seconds: took, CPU: cpu() - used, Ops: float64(i)}, nil
		}
		if err := do(i); err != nil {
			return nil, err
		}
	}
}
