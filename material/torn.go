package material

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"

	"github.com/mindtrace/registry/internal/beneath"
)

// Expecter is what a Sink may be besides: one that fails the save with err if
// the stream name, which is still open, turns out not to have the SHA-256 sum.
// The registry's sinks are Expecters.
type Expecter interface {
	Expect(name string, sum [sha256.Size]byte, err error)
}

// errTorn: what was read may be half of one state and half of another, which
// no one ever wrote.
var errTorn = errors.New("somebody wrote to it while it was being saved; save it again, or a copy of it")

// saveFile saves the open file f under the name p. path is what its user calls
// it. A file that somebody wrote to meanwhile is refused.
func saveFile(dst Sink, p string, f fs.File, path string) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	w, err := createFile(dst, p, fi.Mode())
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	if fi.Mode().IsRegular() {
		if err := checkTorn(dst, p, f, fi, &fs.PathError{Op: "save", Path: path, Err: errTorn}); err != nil {
			return err
		}
	}
	return w.Close()
}

// checkTorn returns torn if f is not what it was before it was read. Its change
// time alone proves nothing: that moves too if the file gets another name or
// mode, or if another one is renamed to its name. Then it is read once more: if
// nobody touches it this time and it is the same bytes, it was not torn.
func checkTorn(dst Sink, p string, f fs.File, before fs.FileInfo, torn error) error {
	after, err := f.Stat()
	if err != nil {
		return err
	}
	switch beneath.Compare(before, after) {
	case beneath.Same:
		return nil
	case beneath.Written:
		return torn
	}
	expecter, ok1 := dst.(Expecter)
	again, ok2 := f.(io.ReadSeeker)
	if !ok1 || !ok2 {
		return torn
	}
	if _, err := again.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, again); err != nil {
		return err
	}
	if last, err := f.Stat(); err != nil {
		return err
	} else if beneath.Compare(after, last) != beneath.Same {
		return torn
	}
	expecter.Expect(p, [sha256.Size]byte(h.Sum(nil)), torn)
	return nil
}

func createFile(dst Sink, name string, mode fs.FileMode) (io.WriteCloser, error) {
	notePrivate(dst, name, mode)
	if tree, ok := dst.(TreeSink); ok && mode&0o100 != 0 {
		return tree.CreateExec(name)
	}
	return dst.Create(name)
}
