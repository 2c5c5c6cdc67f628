package tree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/manifest"
)

// resume goes through the files that an earlier load has left. It fetches the
// missing bytes of those that are there, and returns those that are not.
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

// resumeFile completes the file i, and reports whether that is done. Otherwise the
// file does not exist afterwards.
func (x *extraction) resumeFile(i int) (done bool, err error) {
	e := &x.fsys.m.Content.Files[i]
	path := filepath.FromSlash(e.Path)
	fi, err := x.root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !ownFile(fi) || fi.Size() > e.Size || len(e.Chunks) == 0 { // tidy removes such files, but WriteTree may be called without it
		return false, x.root.Remove(path)
	}
	f, err := x.root.OpenFile(path, os.O_RDWR|beneath.NoFollow, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	have, n, err := x.fsys.chunks.Have(i, f)
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
		err := x.fsys.chunks.FetchMissing(x.fsys.Ctx, i, have, x)
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
			return false, fmt.Errorf("%w: all chunks of %q have their digests, but the file does not have its own, %s", fault.ErrIntegrity, e.Path, e.SHA256)
		}
	}
	return true, f.Close()
}
