package material

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"

	"github.com/mindtrace/registry/internal/beneath"
)

// Expecter is an optional interface of sinks that compare a stream with a SHA-256
// that is only known after it was written.
type Expecter interface {
	// Expect makes the save fail with err, unless the stream name, which is open,
	// has the SHA-256 sum.
	Expect(name string, sum [sha256.Size]byte, err error)
}

// errTorn: what was read may be half of one state of the file and half of another.
var errTorn = errors.New("another process wrote to it while it was saved; save it again, or save a copy of it")

// saveFile saves the open file f under the name p. path is its name in errors. It
// refuses a file that was written to while it was read.
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

// checkTorn returns torn if f has changed since before. If only its change time is
// different, the file may just have got another name or mode, or another file was
// renamed to its name. Then checkTorn reads it once more: if the change time stays
// and the bytes are the same, nobody has written to it.
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

// createFile creates the stream of a file with a mode.
func createFile(dst Sink, name string, mode fs.FileMode) (io.WriteCloser, error) {
	notePrivate(dst, name, mode)
	if tree, ok := dst.(TreeSink); ok && mode&0o100 != 0 {
		return tree.CreateExec(name)
	}
	return dst.Create(name)
}
