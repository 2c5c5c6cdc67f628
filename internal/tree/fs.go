package tree

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// FS is one version as a read-only file system. Bytes are fetched when they are
// read, and verified before they are returned. Files implement io.ReaderAt and
// io.Seeker, which fetch only what is asked for. The fields may be set before the
// first use. An FS may be used by many goroutines at once.
type FS struct {
	Ctx      context.Context  // of all reads
	Progress func(done int64) // gets how many bytes Extract or WriteTree has written; or nil
	Keep     string           // a directory that Extract never replaces: the registry's; or ""

	m      *manifest.Manifest
	chunks *chunk.Reader
	ref    string            // as the user gave it, for messages
	wrap   func(error) error // gives an error of a read its operation and reference
	index  func() *index     // made at first use
}

var (
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.StatFS     = (*FS)(nil)
	_ fs.ReadFileFS = (*FS)(nil)
	_ fs.ReadLinkFS = (*FS)(nil)
)

// New returns the version with the manifest m as a file system. chunks reads its
// bytes. ref is the reference that the user gave, for messages; wrap gives the
// errors of reads their context.
func New(ctx context.Context, m *manifest.Manifest, chunks *chunk.Reader, ref string, wrap func(error) error) *FS {
	fsys := &FS{Ctx: ctx, m: m, chunks: chunks, ref: ref, wrap: wrap}
	fsys.index = sync.OnceValue(func() *index { return newIndex(m.Content.Files) })
	return fsys
}

// Open implements fs.FS.
func (fsys *FS) Open(name string) (fs.File, error) { return fsys.open("open", name) }

func (fsys *FS) open(op, name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	at, err := fsys.index().resolve(name, true)
	if err != nil {
		return fail(err)
	}
	info := fsys.stat(at)
	info.name = path.Base(name) // a link's own name, not that of its target
	if info.IsDir() {
		return &openDir{fsys: fsys, info: info, names: fsys.index().dirs[at], path: at}, nil
	}
	return &openFile{fsys: fsys, info: info, index: fsys.index().entry[at]}, nil
}

// stat describes the entry at a path that resolve has returned.
func (fsys *FS) stat(at string) fileInfo {
	x := fsys.index()
	if i, ok := x.entry[at]; ok {
		return fileInfo{path.Base(at), &x.files[i], fsys.m.Created}
	}
	return fileInfo{path.Base(at), &manifest.File{Dir: true}, fsys.m.Created}
}

// Stat implements fs.StatFS.
func (fsys *FS) Stat(name string) (fs.FileInfo, error) { return fsys.statPath("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (fsys *FS) Lstat(name string) (fs.FileInfo, error) { return fsys.statPath("lstat", name, false) }

func (fsys *FS) statPath(op, name string, follow bool) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, err := fsys.index().resolve(name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	info := fsys.stat(at)
	info.name = path.Base(name)
	return info, nil
}

// ReadLink implements fs.ReadLinkFS.
func (fsys *FS) ReadLink(name string) (string, error) {
	info, err := fsys.statPath("readlink", name, false)
	if err != nil {
		return "", err
	}
	link := info.(fileInfo).f.Link
	if link == "" {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return link, nil
}

// ReadFile implements fs.ReadFileFS.
func (fsys *FS) ReadFile(name string) ([]byte, error) {
	f, err := fsys.open("read", name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	of, ok := f.(*openFile)
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	return material.ReadAll(of)
}

// ReadDir implements fs.ReadDirFS.
func (fsys *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := fsys.open("readdir", name)
	if err != nil {
		return nil, err
	}
	d, ok := f.(*openDir)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	return d.ReadDir(-1)
}

// fileInfo is the fs.FileInfo and the fs.DirEntry of an entry.
type fileInfo struct {
	name    string
	f       *manifest.File
	created time.Time
}

func (i fileInfo) Name() string               { return i.name }
func (i fileInfo) Size() int64                { return i.f.Size }
func (i fileInfo) ModTime() time.Time         { return i.created }
func (i fileInfo) IsDir() bool                { return i.f.Dir }
func (i fileInfo) Sys() any                   { return nil }
func (i fileInfo) Type() fs.FileMode          { return i.Mode().Type() }
func (i fileInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i fileInfo) String() string             { return fs.FormatDirEntry(i) }

// Mode returns the entry's mode without permission to write.
func (i fileInfo) Mode() fs.FileMode { return i.f.Mode() &^ 0o222 }
