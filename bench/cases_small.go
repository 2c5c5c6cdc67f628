package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	tarCreate  = "tar cf + fsync"
	tarExtract = "tar xf"
	bareLoop   = "the bare loop"
)

// treeSave: many small files into a directory.
func (e *env) treeSave() *bcase {
	n := e.count(20000)
	src, tar, reg := e.path("tree"), e.path("tar"), e.path("registry")
	return &bcase{
		name: "tree-save-local", title: fmt.Sprintf("Save %d files of 4 KiB, local, durable", n),
		rounds: e.rounds(3),
		setup:  func() error { return smallFiles(src, 2, n, 4<<10) },
		clean:  remove(src),
		runs: []*competitor{
			{
				name: tarCreate, clean: remove(tar), prepare: func() error { return warmTree(src) },
				run: func() (sample, error) { return sh(`tar -C "$1" -cf "$2" .; sync -- "$2"`, src, tar).run() },
			},
			{
				name: saved, clean: remove(reg),
				prepare: func() error { return errors.Join(e.mindreg(reg, "init").must(), warmTree(src)) },
				run:     func() (sample, error) { return e.saveRun(reg, src) },
				check:   func() error { return e.loadsBack(reg, src) },
			},
		},
		targets: []target{atMost(saved, 2, tarCreate)},
	}
}

// treeLoad: many small files out of a directory.
func (e *env) treeLoad() *bcase {
	n := e.count(20000)
	src, tar, reg, dst := e.path("tree"), e.path("tar"), e.path("registry"), e.path("dst")
	same := func() error { return sameTree(dst, src) }
	return &bcase{
		name: "tree-load-local", title: fmt.Sprintf("Load %d files of 4 KiB, local, verified", n),
		note:   "Neither of them flushes what it writes.",
		rounds: e.rounds(3),
		setup: func() error {
			return errors.Join(
				smallFiles(src, 2, n, 4<<10), sh(`tar -C "$1" -cf "$2" .`, src, tar).must(),
				e.mindreg(reg, "init").must(), e.mindreg(reg, "save", "bench", src).must())
		},
		clean: remove(src, tar, reg),
		runs: []*competitor{
			{
				name: tarExtract, clean: remove(dst), check: same,
				prepare: func() error { return errors.Join(os.Mkdir(dst, 0o777), warm(tar)) },
				run:     func() (sample, error) { return command{args: []string{"tar", "-C", dst, "-xf", tar}}.run() },
			},
			{
				name: loaded, clean: remove(dst), check: same,
				prepare: func() error { return warmTree(reg) },
				run:     func() (sample, error) { return e.mindreg(reg, "load", "bench", dst).run() },
			},
		},
		targets: []target{atMost(loaded, 2, tarExtract)},
	}
}

// smallLocal: one small object after the other.
func (e *env) smallLocal(savers int, what string) *bcase {
	count := fmt.Sprint(e.count(map[int]int{1: 512, 16: 2048}[savers]))
	dir, reg := e.path("bare"), e.path("registry")
	title := fmt.Sprintf("Save objects of 1 KiB, local, durable, %d at once, ", savers)
	if what == "versions" {
		title += "each a version of the saver's object"
	} else {
		title += "each under a name of its own"
	}
	spread := map[string]string{
		"versions": bareLoop + ", a directory per saver", "names": bareLoop + ", a directory per file",
	}[what]
	bare := func(name, into string) *competitor {
		return &competitor{
			name: name, prepare: func() error { return os.Mkdir(dir, 0o777) }, clean: remove(dir),
			run: func() (sample, error) { return e.worker("bareput", dir, count, fmt.Sprint(savers), into).reported() },
		}
	}
	return &bcase{
		name: fmt.Sprintf("small-%s-%d", what, savers), title: title,
		note: "The bare loop writes a temporary file, flushes it, links it to its name and flushes the directory. That is two flushes, and one directory that exists already. " +
			"Mindreg has a directory for each name, as the loop has in its second row, and flushes a new one with its parent. It lists before it saves. Each runs in a process of its own, through the library.",
		rounds: e.rounds(5), loop: true,
		runs: []*competitor{
			bare(bareLoop, "one"),
			bare(spread, what),
			{
				name: saved, prepare: func() error { return e.mindreg(reg, "init").must() }, clean: remove(reg),
				run: func() (sample, error) { return e.worker("save", reg, count, fmt.Sprint(savers), what).reported() },
			},
		},
		targets: []target{faster(saved, 0.7, bareLoop)},
	}
}

// smallMinIO: one small object after the other, to or from a server.
func (e *env) smallMinIO(what string) *bcase {
	count := fmt.Sprint(e.count(512))
	s := &s3runs{e: e}
	mine := "mindreg " + what
	return &bcase{
		name: "small-minio-" + what, title: strings.ToUpper(what[:1]) + what[1:] + " objects of 1 KiB, MinIO on loopback",
		note:   "The bare loop makes the same number of requests with minio-go: a listing, and a put or a get. A proxy counts the requests, in a run that is not timed.",
		rounds: e.rounds(5), loop: true,
		runs: []*competitor{
			{name: bareGo, prepare: s.prepare(), clean: s.clean, run: func() (sample, error) { return e.worker("bares3", s.bucket, count, what).reported() }},
			{name: mine, prepare: s.prepare(s.initialised), clean: s.clean, run: func() (sample, error) { return e.worker("minds3", s.bucket, count, what).reported() }},
		},
		targets: []target{
			extraAtMost(mine, "requests", 2, "requests ≤ 2", "%.3g requests"),
			faster(mine, 0.8, bareGo),
		},
	}
}
