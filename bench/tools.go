package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/serverbin"
)

// tool is a program to measure or to measure with, or the reason why it is
// missing.
type tool struct {
	path string
	why  string
}

type tools struct {
	mindreg, minio, mc, rclone, oras, distribution tool
	openssl                                        tool
	mechanisms                                     tool // mindreg that can do without some of its parts
	original                                       tool // a Python that has mindtrace-registry
	dvc                                            tool
}

// goTools are built from modules of their own, which pin them.
var goTools = map[string]string{
	"minio":        "github.com/minio/minio",
	"mc":           "github.com/minio/mc",
	"rclone":       "github.com/rclone/rclone",
	"oras":         "oras.land/oras/cmd/oras",
	"distribution": "github.com/distribution/distribution/v3/cmd/registry",
}

//go:embed requirements-original.txt
var originalPins string

//go:embed requirements-dvc.txt
var dvcPins string

// findMechanisms builds what the cases of mechanisms need.
func (e *env) findMechanisms() error {
	e.tools.mechanisms.path = e.path("mindreg-mechanisms")
	build := command{dir: e.root, args: []string{"go", "build", "-tags", "mechanisms", "-o", e.tools.mechanisms.path, "./cmd/mindreg"}}
	if err := build.must(); err != nil {
		return err
	}
	e.tools.mindreg = e.tools.mechanisms
	e.tools.distribution.why = "not needed"
	path, err := serverbin.Tool(e.root, "minio", goTools["minio"], os.Stderr)
	e.tools.minio = tool{path: path}
	if err != nil {
		e.tools.minio.why = fmt.Sprintf("minio cannot be built: %v", err)
	}
	return nil
}

// findTools builds and installs what is not there yet, into the cache.
func (e *env) findTools() error {
	e.tools.mindreg.path = e.path("mindreg")
	build := command{dir: e.root, args: []string{"go", "build", "-o", e.tools.mindreg.path, "./cmd/mindreg"}}
	if err := build.must(); err != nil {
		return err
	}
	for name, into := range map[string]*tool{
		"minio": &e.tools.minio, "mc": &e.tools.mc, "rclone": &e.tools.rclone,
		"oras": &e.tools.oras, "distribution": &e.tools.distribution,
	} {
		path, err := serverbin.Tool(e.root, name, goTools[name], os.Stderr)
		*into = tool{path: path}
		if err != nil {
			into.why = fmt.Sprintf("%s cannot be built: %v", name, err)
		}
	}
	if path, err := exec.LookPath("openssl"); err != nil {
		e.tools.openssl.why = "openssl is not installed"
	} else {
		e.tools.openssl.path = path
	}
	e.tools.original = e.python("original", originalPins, 12, "python3")
	e.tools.dvc = e.python("dvc", dvcPins, 9, "dvc")
	for _, t := range []tool{e.tools.minio, e.tools.mc, e.tools.rclone, e.tools.oras, e.tools.distribution, e.tools.openssl, e.tools.original, e.tools.dvc} {
		if t.why != "" {
			e.progress("left out: %s", t.why)
		}
	}
	return nil
}

// python returns a program of a virtual environment with these packages, for
// which it needs Python 3.minor or later.
func (e *env) python(name, pins string, minor int, program string) tool {
	cache, err := serverbin.Cache(e.root)
	if err != nil {
		return tool{why: err.Error()}
	}
	interpreter, err := findPython(minor)
	if err != nil {
		return tool{why: fmt.Sprintf("%s: %v", name, err)}
	}
	id := sha256.Sum256([]byte(interpreter + pins))
	dir := filepath.Join(cache, fmt.Sprintf("python-%s-%x", name, id[:6]))
	ready := filepath.Join(dir, "ready")
	if _, err := os.Stat(ready); err != nil {
		e.progress("installing the Python packages of %s into %s", name, dir)
		if err := e.install(interpreter, dir, pins); err != nil {
			os.RemoveAll(dir)
			return tool{why: fmt.Sprintf("%s cannot be installed: %v", name, err)}
		}
		if err := os.WriteFile(ready, nil, 0o666); err != nil {
			return tool{why: err.Error()}
		}
	}
	return tool{path: filepath.Join(dir, "bin", program)}
}

func (e *env) install(interpreter, dir, pins string) error {
	if err := (command{args: []string{interpreter, "-m", "venv", "--clear", dir}}).must(); err != nil {
		return err
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, []byte(pins), 0o666); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	pip := exec.CommandContext(ctx, filepath.Join(dir, "bin", "pip"), "install", "-q", "-r", list)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("pip: %w: %s", errors.Join(err, ctx.Err()), tail(out))
	}
	return nil
}

// findPython looks for Python 3.minor or later: $PYTHON, the path, and what
// pyenv has.
func findPython(minor int) (string, error) {
	candidates := []string{os.Getenv("PYTHON"), "python3"}
	for m := 20; m >= minor; m-- {
		candidates = append(candidates, fmt.Sprintf("python3.%d", m))
	}
	if home, err := os.UserHomeDir(); err == nil {
		more, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", "3.*", "bin", "python3"))
		candidates = append(candidates, more...)
	}
	test := fmt.Sprintf("import sys, venv; sys.exit(sys.version_info < (3, %d))", minor)
	for _, c := range candidates {
		if c == "" {
			continue
		}
		if path, err := exec.LookPath(c); err == nil && exec.Command(path, "-c", test).Run() == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("it needs Python 3.%d or later; $PYTHON may name one", minor)
}

// moduleVersion is that of the module of pkg that a program was built from.
func moduleVersion(program, pkg string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err.Error()
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == pkg || strings.HasPrefix(pkg, m.Path+"/") {
			return m.Version
		}
	}
	return "of unknown version"
}

// versions tells what was measured, for the report.
func (e *env) versions() []string {
	var out []string
	add := func(label string, t tool, args ...string) {
		if t.path == "" {
			out = append(out, t.why)
			return
		}
		b, err := exec.Command(t.path, args...).CombinedOutput()
		if err != nil {
			out = append(out, fmt.Sprintf("%s: %v", label, err))
			return
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
		out = append(out, strings.TrimSpace(label+" "+first))
	}
	add("", tool{path: "cp"}, "--version")
	add("", tool{path: "tar"}, "--version")
	add("", e.tools.openssl, "version")
	for _, name := range slices.Sorted(maps.Keys(goTools)) {
		t := map[string]tool{
			"minio": e.tools.minio, "mc": e.tools.mc, "rclone": e.tools.rclone, "oras": e.tools.oras, "distribution": e.tools.distribution,
		}[name]
		if t.path == "" {
			out = append(out, oneLine(t.why))
			continue
		}
		out = append(out, name+" "+moduleVersion(t.path, goTools[name]))
	}
	add("DVC", e.tools.dvc, "--version")
	add("", e.tools.original, "-c", "import importlib.metadata as m, platform; print('mindtrace-registry', m.version('mindtrace-registry'), 'on Python', platform.python_version())")
	return out
}
