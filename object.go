package registry

import (
	"context"
	"io/fs"
	"iter"
	"slices"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/tree"
)

// Object is one version as a read-only file system. It fetches the data of a file
// when it is read, and verifies it before it returns a byte. Files implement
// io.ReaderAt and io.Seeker, and fetch only the parts that are read. Reading a file
// from start to end reads ahead, and at the end verifies the digest of the file.
type Object struct {
	r  *Registry
	f  *ledger.Record
	fs *tree.FS
}

var (
	_ fs.ReadDirFS  = (*Object)(nil)
	_ fs.StatFS     = (*Object)(nil)
	_ fs.ReadFileFS = (*Object)(nil)
	_ fs.ReadLinkFS = (*Object)(nil)
)

func newObject(ctx context.Context, r *Registry, ref string, f *ledger.Record, chunks *chunk.Reader) *Object {
	o := &Object{r: r, f: f}
	o.fs = tree.New(ctx, f.Manifest, chunks, ref, func(err error) error { return wrap(ctx, OpRead, ref, err) })
	o.fs.Keep = r.localDir()
	return o
}

// Info describes the version.
func (o *Object) Info() Info { return o.r.info(o.f) }

// Open implements fs.FS.
func (o *Object) Open(name string) (fs.File, error) { return o.fs.Open(name) }

// Stat implements fs.StatFS.
func (o *Object) Stat(name string) (fs.FileInfo, error) { return o.fs.Stat(name) }

// Lstat implements fs.ReadLinkFS.
func (o *Object) Lstat(name string) (fs.FileInfo, error) { return o.fs.Lstat(name) }

// ReadLink implements fs.ReadLinkFS.
func (o *Object) ReadLink(name string) (string, error) { return o.fs.ReadLink(name) }

// ReadFile implements fs.ReadFileFS.
func (o *Object) ReadFile(name string) ([]byte, error) { return o.fs.ReadFile(name) }

// ReadDir implements fs.ReadDirFS.
func (o *Object) ReadDir(name string) ([]fs.DirEntry, error) { return o.fs.ReadDir(name) }

// File describes one entry of an object's tree.
type File struct {
	Path   string `json:"path"`             // slash-separated, relative to the object
	Size   int64  `json:"size"`             // in bytes
	SHA256 string `json:"sha256,omitempty"` // in hexadecimal, as sha256sum prints it; "" for links and directories
	Exec   bool   `json:"exec,omitempty"`   // it is executable
	Link   string `json:"link,omitempty"`   // target of a symbolic link; "" for others
	Dir    bool   `json:"dir,omitempty"`    // it is an empty directory
}

// Files returns the entries of the tree, sorted by path: files, symbolic links and
// empty directories.
func (o *Object) Files() []File {
	return slices.AppendSeq(make([]File, 0, len(o.f.Content.Files)), o.Entries())
}

// Entries yields the entries that Files returns, in the same order. For a million
// files it takes less memory.
func (o *Object) Entries() iter.Seq[File] {
	return func(yield func(File) bool) {
		for i := range o.f.Content.Files {
			f := &o.f.Content.Files[i]
			entry := File{Path: f.Path, Size: f.Size, Exec: f.Exec, Link: f.Link, Dir: f.Dir}
			if f.Regular() {
				entry.SHA256 = f.SHA256.Hex()
			}
			if !yield(entry) {
				return
			}
		}
	}
}
