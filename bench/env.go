package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// env is what the cases run in.
type env struct {
	root  string // of the repository
	dir   string // for all data; on the file system that is measured
	self  string // this program
	quick bool
	start time.Time

	tools     tools
	minio     *server
	oci       *server
	clientEnv []string // so that S3 clients find the account
	buckets   int
}

// progress prints what happens, with the time.
func (e *env) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "[%4.0f s] %s\n", time.Since(e.start).Seconds(), fmt.Sprintf(format, args...))
}

// path is a place below the directory of the data.
func (e *env) path(parts ...string) string {
	return filepath.Join(append([]string{e.dir}, parts...)...)
}

// size is n bytes, or a sixteenth of them to try things out.
func (e *env) size(n int64) int64 {
	if e.quick {
		return n / 16
	}
	return n
}

// count is n, or a sixteenth of it.
func (e *env) count(n int) int { return int(e.size(int64(n))) }

// rounds is n, or two.
func (e *env) rounds(n int) int {
	if e.quick {
		return min(n, 2)
	}
	return n
}

// remove returns a function that removes what is at the paths.
func remove(paths ...string) func() error {
	return func() error {
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// free is how many bytes the file system of dir has left.
func free(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// human prints a size.
func human(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.4g KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
