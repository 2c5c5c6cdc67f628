package serverbin

import (
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Tool returns the path of a program that only the benchmarks need. It builds it
// from the module tools/<name> if it does not exist; pkg is its package there.
// root is the directory of the module. Progress goes to log.
func Tool(root, name, pkg string, log io.Writer) (string, error) {
	bin, err := cacheBin(root)
	if err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(bin, "lock"))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock()
	return build(filepath.Join(root, "tools", name), name, pkg, bin, log)
}

// Cache returns the directory for things that are built once: .cache of the
// module at root, or $MINDREG_CACHE.
func Cache(root string) (string, error) {
	cache := os.Getenv("MINDREG_CACHE")
	if cache == "" {
		cache = filepath.Join(root, ".cache")
	}
	return filepath.Abs(cache)
}

// cacheBin returns the directory of the binaries, and makes it.
func cacheBin(root string) (string, error) {
	cache, err := Cache(root)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, "bin")
	return bin, os.MkdirAll(bin, 0o777)
}
