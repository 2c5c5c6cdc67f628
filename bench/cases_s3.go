package main

import (
	"fmt"
	"os"
)

const (
	mcCopy     = "mc cp"
	rcloneCopy = "rclone copyto"
	bareGo     = "bare minio-go"
	onMinIO    = " to and from MinIO on loopback"
)

// s3runs makes competitors that each have a bucket of their own for a run.
type s3runs struct {
	e      *env
	bucket string
	drop   func() error
}

func (s *s3runs) prepare(more ...func() error) func() error {
	return func() (err error) {
		if s.bucket, s.drop, err = s.e.bucket(); err != nil {
			return err
		}
		for _, f := range more {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *s3runs) clean() error {
	if s.drop == nil {
		return nil
	}
	drop := s.drop
	s.drop = nil
	return drop()
}

// client is a command line with the account in its environment.
func (s *s3runs) client(args ...string) command {
	return command{args: args, env: s.e.clientEnv}
}

func (s *s3runs) registry() string { return s3url(s.e.minio.addr, s.bucket) }

// initialised makes the bucket a registry.
func (s *s3runs) initialised() error { return s.e.mindreg(s.registry(), "init").must() }

func (e *env) ociRef() string { return e.oci.addr + "/bench:v1" }

// saveMinIO: a large file to a server.
func (e *env) saveMinIO() *bcase {
	size := e.size(1 << 30)
	src, back := e.path("src"), e.path("back")
	s := &s3runs{e: e}
	ready := func() error { return warm(src) }
	// fetched checks an upload with another client.
	fetched := func() error {
		defer os.Remove(back)
		if err := e.worker("get", s.bucket, "big", back).must(); err != nil {
			return err
		}
		return sameFile(back, src)
	}
	return &bcase{
		name: "save-minio", title: "Save a file of " + human(size) + " to MinIO on loopback",
		note:   "Server and client share the machine. Bare minio-go is FPutObject with its defaults. oras pushes to a distribution server that stores on the same disk.",
		rounds: e.rounds(3),
		setup:  func() error { return noiseFile(src, 1, size) },
		clean:  remove(src),
		runs: []*competitor{
			{
				name: mcCopy, skip: e.tools.mc.why, prepare: s.prepare(ready), clean: s.clean, check: fetched,
				run: func() (sample, error) { return s.client(e.tools.mc.path, "-q", "cp", src, "m/"+s.bucket+"/big").run() },
			},
			{
				name: rcloneCopy, skip: e.tools.rclone.why, prepare: s.prepare(ready), clean: s.clean, check: fetched,
				run: func() (sample, error) {
					return s.client(e.tools.rclone.path, "copyto", src, "m:"+s.bucket+"/big").run()
				},
			},
			{
				name: bareGo, prepare: s.prepare(ready), clean: s.clean, check: fetched,
				run: func() (sample, error) { return e.worker("put", s.bucket, "big", src).run() },
			},
			{
				name: saved, prepare: s.prepare(s.initialised, ready), clean: s.clean,
				run:   func() (sample, error) { return e.saveRun(s.registry(), src) },
				check: func() error { return e.loadsBack(s.registry(), src) },
			},
			{
				name: "oras push", skip: e.tools.oras.why + e.tools.distribution.why, rounds: 2, prepare: ready, clean: remove(e.path("oci-data", "data")),
				run: func() (sample, error) { return e.oras("push", e.ociRef(), "src:application/octet-stream").run() },
			},
		},
		targets: []target{faster(saved, 0.9, mcCopy, rcloneCopy, bareGo)},
	}
}

// oras is a command line of it, among the data.
func (e *env) oras(verb string, args ...string) command {
	return command{dir: e.dir, args: append([]string{e.tools.oras.path, verb, "--plain-http"}, args...), env: []string{"HOME=" + e.path("home")}}
}

// loadMinIO: a large file from a server.
func (e *env) loadMinIO() *bcase {
	size := e.size(1 << 30)
	src, dst, pulled := e.path("src"), e.path("dst"), e.path("pulled")
	plain, packs := &s3runs{e: e}, &s3runs{e: e}
	same := func() error { return sameFile(dst, src) }
	return &bcase{
		name: "load-minio", title: "Load a file of " + human(size) + " from MinIO on loopback",
		note:   "Bare minio-go is FGetObject. Only mindreg and oras verify the bytes by a digest.",
		rounds: e.rounds(3),
		setup: func() error {
			if err := noiseFile(src, 1, size); err != nil {
				return err
			}
			if err := plain.prepare()(); err != nil {
				return err
			}
			if err := e.worker("put", plain.bucket, "big", src).must(); err != nil {
				return err
			}
			if err := packs.prepare(packs.initialised)(); err != nil {
				return err
			}
			if err := e.mindreg(packs.registry(), "save", "bench", src).must(); err != nil {
				return err
			}
			if e.oci == nil || e.tools.oras.why != "" {
				return nil
			}
			return e.oras("push", e.ociRef(), "src:application/octet-stream").must()
		},
		clean: func() error {
			plain.clean()
			packs.clean()
			return remove(src, e.path("oci-data", "data"))()
		},
		runs: []*competitor{
			{
				name: mcCopy, skip: e.tools.mc.why, clean: remove(dst), check: same,
				run: func() (sample, error) {
					return plain.client(e.tools.mc.path, "-q", "cp", "m/"+plain.bucket+"/big", dst).run()
				},
			},
			{
				name: rcloneCopy, skip: e.tools.rclone.why, clean: remove(dst), check: same,
				run: func() (sample, error) {
					return plain.client(e.tools.rclone.path, "copyto", "m:"+plain.bucket+"/big", dst).run()
				},
			},
			{
				name: bareGo, clean: remove(dst), check: same,
				run: func() (sample, error) { return e.worker("get", plain.bucket, "big", dst).run() },
			},
			{
				name: loaded, clean: remove(dst), check: same,
				run: func() (sample, error) { return e.mindreg(packs.registry(), "load", "bench", dst).run() },
			},
			{
				name: "oras pull", skip: e.tools.oras.why + e.tools.distribution.why, rounds: 2, clean: remove(pulled),
				run:   func() (sample, error) { return e.oras("pull", "-o", pulled, e.ociRef()).run() },
				check: func() error { return sameFile(e.path("pulled", "src"), src) },
			},
		},
		targets: []target{faster(loaded, 1.0, mcCopy, rcloneCopy, bareGo)},
	}
}

// treeMinIO: many small files to a server.
func (e *env) treeMinIO() *bcase {
	n, src := e.count(20000), e.path("tree")
	s := &s3runs{e: e}
	one, many := "one put per file, one after the other", "one put per file, 16 at once"
	puts := func(parallel int) func() (sample, error) {
		return func() (sample, error) { return e.worker("puttree", s.bucket, src, fmt.Sprint(parallel)).run() }
	}
	return &bcase{
		name: "tree-minio", title: fmt.Sprintf("Save %d files of 4 KiB to MinIO on loopback", n),
		note:   "The single puts are made with bare minio-go. They are too slow for more rounds.",
		rounds: e.rounds(3),
		setup:  func() error { return smallFiles(src, 2, n, 4<<10) },
		clean:  remove(src),
		runs: []*competitor{
			{name: one, rounds: 1, prepare: s.prepare(), clean: s.clean, run: puts(1)},
			{name: many, rounds: 1, prepare: s.prepare(), clean: s.clean, run: puts(16)},
			{
				name: saved, prepare: s.prepare(s.initialised), clean: s.clean,
				run:   func() (sample, error) { return e.saveRun(s.registry(), src) },
				check: func() error { return e.loadsBack(s.registry(), src) },
			},
		},
		targets: []target{faster(saved, 20, one), information(saved, many)},
	}
}
