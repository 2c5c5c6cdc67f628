package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// place is the place of a registry that a case makes anew for each run.
type place struct {
	name    string
	url     func() string
	prepare func() error
	packs   func() (int, error) // returns the number of packs there
	clean   func() error
}

func (e *env) localPlace() *place {
	dir := e.path("registry")
	return &place{
		name: "local", url: func() string { return dir }, clean: remove(dir),
		prepare: func() error { return e.mindreg(dir, "init").must() },
		packs: func() (n int, err error) {
			err = filepath.WalkDir(filepath.Join(dir, "packs"), func(_ string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
					n++
				}
				return nil // the directory changes while it is read
			})
			return n, err
		},
	}
}

func (e *env) minioPlace() *place {
	s := &s3runs{e: e}
	return &place{
		name: "minio", url: s.registry, clean: s.clean, prepare: s.prepare(s.initialised),
		packs: func() (n int, err error) {
			c, err := s3client(e.minio.addr)
			if err != nil {
				return 0, err
			}
			for o := range c.ListObjects(context.Background(), s.bucket, minio.ListObjectsOptions{Prefix: "packs/", Recursive: true}) {
				if o.Err != nil {
					return 0, o.Err
				}
				n++
			}
			return n, nil
		},
	}
}

// secondVersion: a hundred bytes are inserted in the middle.
func (e *env) secondVersion(p *place, limit float64) *bcase {
	size := e.size(512 << 20)
	first, second := e.path("first"), e.path("second")
	begin, next := "the first save", "the save of the second version"
	return &bcase{
		name: "version-" + p.name, title: "Save a second version, 100 bytes inserted in " + human(size) + ", " + p.name,
		rounds: e.rounds(3),
		setup: func() error {
			return errors.Join(noiseFile(first, 3, size), insertedFile(second, 3, size, []byte(strings.Repeat("inserted, ", 10))))
		},
		clean: remove(first, second),
		runs: []*competitor{
			{
				name: begin, clean: p.clean,
				prepare: func() error { return errors.Join(p.prepare(), warm(first)) },
				run:     func() (sample, error) { return e.saveRun(p.url(), first) },
			},
			{
				name: next, clean: p.clean,
				prepare: func() error {
					if err := p.prepare(); err != nil {
						return err
					}
					return errors.Join(e.mindreg(p.url(), "save", "bench", first).must(), warm(second))
				},
				run: func() (sample, error) {
					s, err := e.saveRun(p.url(), second)
					if err == nil {
						s.Extra["new"] = 100 * s.Extra["stored"] / float64(size)
					}
					return s, err
				},
				check: func() error { return e.loadsBack(p.url(), second) },
			},
		},
		targets: []target{
			extraAtMost(next, "new", 1, "new bytes < 1 %", "%.2f %%"),
			atMost(next, limit, begin),
		},
	}
}

// interrupted: a save is killed when half of its packs are put, and run again.
func (e *env) interrupted(p *place) *bcase {
	size := max(e.size(1<<30), 256<<20) // with fewer packs there is no half
	src := e.path("src")
	whole, again := "a whole save", "the save after one that was killed half-way"
	half := int(size / (16 << 20) / 2)
	return &bcase{
		name: "interrupted-" + p.name, title: "Save " + human(size) + " again after kill -9 with half of the packs put, " + p.name,
		rounds: e.rounds(3),
		setup:  func() error { return noiseFile(src, 4, size) },
		clean:  remove(src),
		runs: []*competitor{
			{
				name: whole, clean: p.clean,
				prepare: func() error { return errors.Join(p.prepare(), warm(src)) },
				run:     func() (sample, error) { return e.saveRun(p.url(), src) },
			},
			{
				name: again, clean: p.clean,
				prepare: func() error {
					if err := errors.Join(p.prepare(), warm(src)); err != nil {
						return err
					}
					return e.killed(p, e.mindreg(p.url(), "save", "bench", src), half)
				},
				run:   func() (sample, error) { return e.saveRun(p.url(), src) },
				check: func() error { return e.loadsBack(p.url(), src) },
			},
		},
		targets: []target{atMost(again, 0.6, whole)},
	}
}

// killed starts a save and kills it when this many packs are put.
func (e *env) killed(p *place, save command, packs int) error {
	cmd := save.cmd()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		n, err := p.packs()
		if err == nil && n < packs {
			select {
			case err = <-ended:
				return fmt.Errorf("the save ended before it could be killed: %v", err)
			case <-time.After(2 * time.Millisecond):
				continue
			}
		}
		cmd.Process.Signal(os.Kill)
		if <-ended == nil {
			return errors.New("the save ended before it could be killed")
		}
		if err != nil {
			return err
		}
		left, err := p.packs()
		e.progress("%s: killed with %d packs of about %d put", p.name, left, 2*packs)
		if err == nil && left > packs+packs/2 {
			err = fmt.Errorf("killed too late: %d packs were put, not %d", left, packs)
		}
		return err
	}
}
