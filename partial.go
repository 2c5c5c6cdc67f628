package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/mindtrace/registry/manifest"
	"github.com/mindtrace/registry/store"
)

// partial is a directory beside the destination of a load in which its files
// grow. One that was left by a load that was interrupted is found again by its
// name, made of the object's digest and the destination, and what is in it
// need not be fetched again. Nothing is noted down of how far it has come: the
// files are read, and what has its digest is there.
type partial struct {
	dir  string
	lock *flock.Flock // nil: nobody else will ever look at dir
	old  bool         // there may be files
}

const partialPrefix = ".mindreg-"

// openPartial makes a directory, or takes over the one of an earlier load.
// While one load has it, others to the same place make their own.
func openPartial(dest string, digest manifest.Digest) (*partial, error) {
	sum := sha256.Sum256([]byte(digest.Hex() + "\x00" + filepath.Base(dest)))
	// The name is short: names as long as the file system allows can be loaded.
	dir := filepath.Join(filepath.Dir(dest), partialPrefix+hex.EncodeToString(sum[:6]))
	if p := takePartial(dir); p != nil {
		return p, nil
	}
	dir = filepath.Join(filepath.Dir(dest), partialPrefix+strings.ToLower(rand.Text()[:8]))
	p := &partial{dir: dir}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	return p, os.Mkdir(p.tree(), 0o777)
}

// takePartial returns the directory dir, locked, or nil if that cannot be had.
func takePartial(dir string) *partial {
	err := os.Mkdir(dir, 0o777)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil
	}
	if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() {
		return nil
	}
	p := &partial{dir: dir, lock: flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o666))}
	if got, err := p.lock.TryLock(); !got || err != nil {
		return nil
	}
	// Who had it before may have ended in between, and removed it.
	theirs, err1 := os.Stat(p.lock.Path())
	ours, err2 := p.lock.Stat()
	if err1 != nil || err2 != nil || !os.SameFile(theirs, ours) {
		p.lock.Unlock()
		return nil
	}
	switch err := os.Mkdir(p.tree(), 0o777); {
	case errors.Is(err, fs.ErrExist):
		p.old = true
	case err != nil:
		p.lock.Unlock()
		return nil
	}
	return p
}

// tree is the directory of the object's files.
func (p *partial) tree() string { return filepath.Join(p.dir, "tree") }

// close ends the use of the directory. It stays if the load was interrupted
// and may be run again.
func (p *partial) close(err error) {
	switch {
	case p.lock == nil:
		os.RemoveAll(p.dir)
	case interrupted(err):
		p.lock.Unlock()
	default:
		// Whoever takes the lock after it was removed finds that out. From then
		// on others may have made theirs: only what is empty goes.
		os.RemoveAll(p.tree())
		rerr := os.Remove(p.lock.Path())
		p.lock.Unlock()
		if rerr != nil { // on Windows, while it was open
			os.Remove(p.lock.Path())
		}
		os.Remove(p.dir)
	}
}

// interrupted reports whether an operation that failed so may succeed if it is
// run again.
func interrupted(err error) bool {
	for _, e := range []error{context.Canceled, context.DeadlineExceeded, store.ErrUnavailable, store.ErrRetry, store.ErrUnknown} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// resume goes through the files that an earlier load has left, fetches what is
// missing of those that it had begun, and returns those that are still to be
// fetched whole.
func (x *extraction) resume(regular []int) (rest []int, err error) {
	for _, i := range regular {
		there, err := x.resumeFile(i)
		if err != nil {
			return nil, err
		}
		if !there {
			rest = append(rest, i)
		}
	}
	return rest, nil
}

func (x *extraction) resumeFile(i int) (there bool, err error) {
	e := &x.o.f.Content.Files[i]
	path := filepath.FromSlash(e.Path)
	fi, err := x.root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > e.Size || len(e.Chunks) == 0 {
		return false, x.root.Remove(path)
	}
	f, err := x.root.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	have, n, err := x.o.chunks.Have(i, f)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, x.root.Remove(path)
	}
	x.progress(n)
	if n < e.Size {
		x.mu.Lock()
		x.open[i] = &writtenFile{f: f}
		x.mu.Unlock()
		err := x.o.chunks.FetchMissing(x.o.ctx, i, have, x)
		x.mu.Lock()
		delete(x.open, i)
		x.mu.Unlock()
		if err != nil {
			return false, err
		}
	}
	if len(e.Chunks) > 1 { // else the chunk's digest is the file's
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, e.Size)); err != nil {
			return false, err
		}
		if manifest.Digest(h.Sum(nil)) != e.SHA256 {
			return false, fmt.Errorf("%w: %q does not have its digest %s, though its chunks have theirs", ErrIntegrity, e.Path, e.SHA256)
		}
	}
	return true, f.Close()
}
