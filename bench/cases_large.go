package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const (
	copied    = "cp + fsync"
	unflushed = "cp"
	copyHash  = "cp + fsync, then openssl dgst -sha256"
	saved     = "mindreg save"
	loaded    = "mindreg load"
)

// copyFsync copies a file and flushes it.
func copyFsync(from, to string) command { return sh(`cp -- "$1" "$2"; sync -- "$2"`, from, to) }

// mindreg returns a command line of mindreg on a registry.
func (e *env) mindreg(registry string, args ...string) command {
	return command{
		args: append([]string{e.tools.mindreg.path, "--quiet", "--registry", registry}, args...),
		env:  append([]string{"TMPDIR=" + e.path("tmp")}, e.clientEnv...),
	}
}

// saveRun is a timed save. Extra has the bytes that it stored and reused.
func (e *env) saveRun(registry, path string) (sample, error) {
	s, out, err := e.mindreg(registry, "save", "bench", path, "-o", "json").measured()
	if err != nil {
		return s, err
	}
	var report struct{ Stored, Reused float64 }
	err = json.Unmarshal(out, &report)
	s.Extra = map[string]float64{"stored": report.Stored, "reused": report.Reused}
	return s, err
}

// loadsBack checks a save by loading it.
func (e *env) loadsBack(registry, want string) error {
	got := e.path("check")
	defer os.RemoveAll(got)
	if err := e.mindreg(registry, "load", "bench", got).must(); err != nil {
		return err
	}
	if info, err := os.Stat(want); err == nil && info.IsDir() {
		return sameTree(got, want)
	}
	return sameFile(got, want)
}

// saveLocal: a large file into a directory.
func (e *env) saveLocal() *bcase {
	size := e.size(2 << 30)
	src, dst, reg := e.path("src"), e.path("dst"), e.path("registry")
	ready := func() error { return warm(src) }
	return &bcase{
		name: "save-local", title: "Save a file of " + human(size) + ", local, durable",
		note:   "The source is in the page cache. DVC flushes nothing.",
		rounds: e.rounds(3),
		setup:  func() error { return noiseFile(src, 1, size) },
		clean:  remove(src),
		runs: []*competitor{
			{
				name: copied, prepare: ready, clean: remove(dst),
				run:   func() (sample, error) { return copyFsync(src, dst).run() },
				check: func() error { return sameFile(dst, src) },
			},
			{
				name: copyHash, prepare: ready, clean: remove(dst), skip: e.tools.openssl.why,
				run: func() (sample, error) {
					return sh(`cp -- "$1" "$2"; sync -- "$2"; openssl dgst -sha256 "$2"`, src, dst).run()
				},
			},
			{
				name: saved, clean: remove(reg),
				prepare: func() error {
					if err := e.mindreg(reg, "init").must(); err != nil {
						return err
					}
					return ready()
				},
				run:   func() (sample, error) { return e.saveRun(reg, src) },
				check: func() error { return e.loadsBack(reg, src) },
			},
			{
				name: "dvc add", rounds: 1, skip: e.tools.dvc.why, clean: e.dvcClean(),
				prepare: func() error { return e.dvcPrepare(src) },
				run:     func() (sample, error) { return e.dvc("add", "-q", "big").run() },
				check:   func() error { return sameFile(e.path("dvc", "big"), src) },
			},
		},
		targets: []target{atMost(saved, 1.5, copied), faster(saved, 1.3, copyHash)},
	}
}

// loadLocal: a large file out of a directory.
func (e *env) loadLocal() *bcase {
	size := e.size(2 << 30)
	src, dst, reg := e.path("src"), e.path("dst"), e.path("registry")
	same := func() error { return sameFile(dst, src) }
	ready := func() error { return warm(src) }
	return &bcase{
		name: "load-local", title: "Load a file of " + human(size) + ", local, verified",
		note:   "Mindreg renames the loaded file into place and does not flush it. Plain cp, in the second row, does not flush either. The packs are in the page cache.",
		rounds: e.rounds(3),
		setup: func() error {
			if err := noiseFile(src, 1, size); err != nil {
				return err
			}
			if err := e.mindreg(reg, "init").must(); err != nil {
				return err
			}
			return e.mindreg(reg, "save", "bench", src).must()
		},
		clean: remove(src, reg),
		runs: []*competitor{
			{name: copied, prepare: ready, clean: remove(dst), check: same, run: func() (sample, error) { return copyFsync(src, dst).run() }},
			{name: unflushed, prepare: ready, clean: remove(dst), check: same, run: func() (sample, error) {
				return command{args: []string{"cp", "--", src, dst}}.run()
			}},
			{
				name: loaded, clean: remove(dst), check: same,
				prepare: func() error { return warmTree(filepath.Join(reg, "packs")) },
				run:     func() (sample, error) { return e.mindreg(reg, "load", "bench", dst).run() },
			},
			{
				name: "dvc checkout", rounds: 1, skip: e.tools.dvc.why, clean: e.dvcClean(),
				prepare: func() error {
					if err := e.dvcPrepare(src); err != nil {
						return err
					}
					if err := e.dvc("add", "-q", "big").must(); err != nil {
						return err
					}
					return os.Remove(e.path("dvc", "big"))
				},
				run:   func() (sample, error) { return e.dvc("checkout", "-q", "big.dvc").run() },
				check: func() error { return sameFile(e.path("dvc", "big"), src) },
			},
		},
		targets: []target{atMost(loaded, 1.3, copied), information(loaded, unflushed)},
	}
}

// information is a comparison without a target.
func information(a, b string) target {
	return target{text: "(no target) time of " + b, eval: func(r *result) (string, bool, error) {
		ratio, low, high, err := r.timeRatio(a, b)
		return fmt.Sprintf("%.2f × (%.2f–%.2f)", ratio, low, high), true, err
	}}
}

// warmTree reads all files below dir.
func warmTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return warm(path)
	})
}

// dvc returns a command line of DVC in its work tree.
func (e *env) dvc(args ...string) command {
	return command{
		dir: e.path("dvc"), args: append([]string{e.tools.dvc.path}, args...),
		env: []string{"HOME=" + e.path("home"), "DVC_NO_ANALYTICS=1", "DVC_SITE_CACHE_DIR=" + e.path("dvc-site"), "PATH=" + filepath.Dir(e.tools.dvc.path) + ":" + os.Getenv("PATH")},
	}
}

// dvcPrepare makes a work tree with a copy of the file in it.
func (e *env) dvcPrepare(src string) error {
	if err := os.MkdirAll(e.path("dvc"), 0o777); err != nil {
		return err
	}
	if err := e.dvc("init", "-q", "--no-scm").must(); err != nil {
		return err
	}
	return command{args: []string{"cp", "--", src, e.path("dvc", "big")}}.must()
}

func (e *env) dvcClean() func() error { return remove(e.path("dvc"), e.path("dvc-site")) }
