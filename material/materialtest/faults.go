package materialtest

import (
	"io"
	"io/fs"
	"iter"
)

// faultFS is a file system whose reads are short, and of which one call fails, or
// all calls after some point.
type faultFS struct {
	fs.FS
	atOnce      int    // how many bytes a Read returns at most
	eofWithData bool   // io.EOF comes with the last byte, not after it
	calls       int    // of Open and Read
	failAt      int    // number of the call from which all fail, or 0
	once        bool   // only that one fails
	failed      string // the first call that did
}

func (f *faultFS) call(what string) error {
	f.calls++
	if f.failAt == 0 || f.calls < f.failAt || f.once && f.calls > f.failAt {
		return nil
	}
	if f.failed == "" {
		f.failed = what
	}
	return errInjected
}

func (f *faultFS) Open(name string) (fs.File, error) {
	if err := f.call("Open " + name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if fi, err := file.Stat(); err != nil || fi.IsDir() {
		return file, err
	}
	return &faultFile{file, f, name}, nil
}

// ReadLink and Lstat make it an fs.ReadLinkFS.
func (f *faultFS) ReadLink(name string) (string, error)   { return fs.ReadLink(f.FS, name) }
func (f *faultFS) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(f.FS, name) }

// faultFile can do what files of the registry can: Seek and ReadAt as well.
type faultFile struct {
	fs.File
	fsys *faultFS
	name string
}

func (f *faultFile) Read(p []byte) (int, error) {
	if err := f.fsys.call("Read " + f.name); err != nil {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	n, err := f.File.Read(p[:min(len(p), f.fsys.atOnce)])
	if err == nil && f.fsys.eofWithData {
		if at, _ := f.Seek(0, io.SeekCurrent); at == f.size() {
			err = io.EOF
		}
	}
	return n, err
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fsys.call("ReadAt " + f.name); err != nil {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	return f.File.(io.ReaderAt).ReadAt(p, off)
}

func (f *faultFile) Seek(offset int64, whence int) (int64, error) {
	return f.File.(io.Seeker).Seek(offset, whence)
}

func (f *faultFile) size() int64 {
	fi, err := f.Stat()
	if err != nil {
		return -1
	}
	return fi.Size()
}

// sample returns numbers from 1 to n, each with false and with true: all of
// them, or if they are many, 200 that are spread evenly.
func sample(n int) iter.Seq2[int, bool] {
	return func(yield func(int, bool) bool) {
		const most = 200
		for i := range min(n, most) {
			at := 1 + i*n/min(n, most)
			if !yield(at, false) || !yield(at, true) {
				return
			}
		}
	}
}
