package registry

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// Object is one version as a read-only file system. Its files are fetched as
// they are read and verified before a byte of them is handed out; they
// implement io.ReaderAt and io.Seeker, which fetch only what is asked for.
// Reading a file from start to end reads ahead, and verifies the digest of
// the whole at its end.
type Object struct {
	ctx      context.Context
	r        *Registry
	ref      string
	f        *found
	chunks   *chunk.Reader
	progress func(Progress)

	tree func() *tree
}

var (
	_ fs.ReadDirFS  = (*Object)(nil)
	_ fs.StatFS     = (*Object)(nil)
	_ fs.ReadFileFS = (*Object)(nil)
	_ fs.ReadLinkFS = (*Object)(nil)
)

func newObject(ctx context.Context, r *Registry, ref string, f *found, chunks *chunk.Reader) *Object {
	o := &Object{ctx: ctx, r: r, ref: ref, f: f, chunks: chunks}
	o.tree = sync.OnceValue(func() *tree { return newTree(f.Content.Files) })
	return o
}

// Info describes the version.
func (o *Object) Info() Info { return o.r.info(o.f) }

// File describes one entry of an object's tree.
type File struct {
	Path   string `json:"path"`             // slash-separated, relative to the object
	Size   int64  `json:"size"`             // in bytes
	SHA256 string `json:"sha256,omitempty"` // as sha256sum prints it; none for links and directories
	Exec   bool   `json:"exec,omitempty"`   // executable
	Link   string `json:"link,omitempty"`   // target of a symbolic link
	Dir    bool   `json:"dir,omitempty"`    // an empty directory
}

// Files returns the entries of the tree, sorted by path. Directories are
// among them only if they are empty.
func (o *Object) Files() []File {
	return slices.AppendSeq(make([]File, 0, len(o.f.Content.Files)), o.Entries())
}

// Entries yields what Files returns, one after the other: of a million files
// that takes less memory.
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

// tree finds entries by path.
type tree struct {
	files []manifest.File
	index map[string]int      // path → index of its entry, for entries of the manifest
	dirs  map[string][]string // directory → base names in it, sorted
}

func newTree(files []manifest.File) *tree {
	t := &tree{files: files, index: make(map[string]int, len(files)), dirs: map[string][]string{".": nil}}
	for i := range files {
		p := files[i].Path
		t.index[p] = i
		if files[i].Dir {
			t.dirs[p] = nil
		}
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			_, known := t.dirs[dir]
			t.dirs[dir] = append(t.dirs[dir], path.Base(p))
			if known {
				break
			}
			p = dir
		}
	}
	for _, names := range t.dirs {
		slices.Sort(names)
	}
	return t
}

// resolve returns the clean path that name leads to, through symbolic links.
// With follow unset, a link at the end is not followed.
func (t *tree) resolve(name string, follow bool) (string, error) {
	rest, at := name, "."
	for hops := 0; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		i, isEntry := t.index[next]
		_, isDir := t.dirs[next]
		switch {
		case isEntry && t.files[i].Link != "" && (follow || rest != ""):
			if hops++; hops > 40 {
				return "", errors.New("too many symbolic links")
			}
			rest = t.files[i].Link + "/" + rest
			continue
		case !isEntry && !isDir, isEntry && !isDir && rest != "":
			return "", fs.ErrNotExist
		}
		at = next
	}
	return at, nil
}

// Open implements fs.FS.
func (o *Object) Open(name string) (fs.File, error) { return o.open("open", name) }

func (o *Object) open(op, name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	at, err := o.tree().resolve(name, true)
	if err != nil {
		return fail(err)
	}
	info := o.stat(at)
	info.name = path.Base(name) // not that of the file a link leads to
	if info.IsDir() {
		return &openDir{o: o, info: info, names: o.tree().dirs[at], path: at}, nil
	}
	return &openFile{o: o, info: info, index: o.tree().index[at]}, nil
}

// stat describes what resolve returned.
func (o *Object) stat(at string) fileInfo {
	t := o.tree()
	if i, ok := t.index[at]; ok {
		return fileInfo{path.Base(at), &t.files[i], o.f.Created}
	}
	return fileInfo{path.Base(at), &manifest.File{Dir: true}, o.f.Created}
}

// Stat implements fs.StatFS.
func (o *Object) Stat(name string) (fs.FileInfo, error) { return o.statPath("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (o *Object) Lstat(name string) (fs.FileInfo, error) { return o.statPath("lstat", name, false) }

func (o *Object) statPath(op, name string, follow bool) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, err := o.tree().resolve(name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	info := o.stat(at)
	info.name = path.Base(name)
	return info, nil
}

// ReadLink implements fs.ReadLinkFS.
func (o *Object) ReadLink(name string) (string, error) {
	info, err := o.statPath("readlink", name, false)
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
func (o *Object) ReadFile(name string) ([]byte, error) {
	f, err := o.open("read", name)
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
func (o *Object) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := o.open("readdir", name)
	if err != nil {
		return nil, err
	}
	d, ok := f.(*openDir)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	return d.ReadDir(-1)
}

// fileInfo is an fs.FileInfo and fs.DirEntry of an entry.
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

// Mode is read-only: nothing can be written here.
func (i fileInfo) Mode() fs.FileMode { return i.f.Mode() &^ 0o222 }
