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
	e := &x.fsys.m.Content.Files[i]
	path := filepath.FromSlash(e.Path)
	fi, err := x.root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !ownFile(fi) || fi.Size() > e.Size || len(e.Chunks) == 0 { // tidy leaves no such file
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
			return false, fmt.Errorf("%w: %q does not have its digest %s, though its chunks have theirs", fault.ErrIntegrity, e.Path, e.SHA256)
		}
	}
	return true, f.Close()
}
