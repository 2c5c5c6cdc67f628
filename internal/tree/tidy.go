package tree

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/internal/manifest"
)

// tidy removes what an earlier load has left and this one would not write: paths
// that the object does not have, links, and files with a second name. What stays
// gets the permissions of a new file. It returns how many bytes on the disk stay.
func (p *partial) tidy(files []manifest.File) (there int64, err error) {
	if !p.old {
		return 0, nil
	}
	mask, err := p.umask()
	if err != nil {
		return 0, err
	}
	want := everyPath(files)
	tree, err := beneath.OpenRootIn(p.root, partialTree)
	if err != nil {
		return 0, err
	}
	defer tree.Close()
	err = fs.WalkDir(tree.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		e := want[path]
		switch {
		case e != nil && e.Dir && fi.IsDir() && localfs.Mine(fi):
		case e != nil && e.Regular() && ownFile(fi) && fi.Size() <= e.Size && len(e.Chunks) > 0:
			there += min(localfs.Allocated(fi), e.Size)
		default:
			if err := removeAll(tree, path); err != nil {
				return err
			}
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if perm := e.Mode().Perm() & mask; fi.Mode().Perm() != perm {
			return tree.Chmod(path, perm|fi.Mode()&fs.ModeSetgid)
		}
		return nil
	})
	return there, err
}

// everyPath maps each path of a tree to its entry. It includes all directories,
// which manifests list only if they are empty.
func everyPath(files []manifest.File) map[string]*manifest.File {
	dir := &manifest.File{Dir: true}
	want := map[string]*manifest.File{".": dir}
	for i := range files {
		local, err := filepath.Localize(files[i].Path)
		if err != nil {
			continue // writing it fails later, and says why
		}
		want[filepath.ToSlash(local)] = &files[i]
		for up := filepath.Dir(local); want[filepath.ToSlash(up)] == nil; up = filepath.Dir(up) {
			want[filepath.ToSlash(up)] = dir
		}
	}
	return want
}

// umask returns the permissions that a new file or directory may have here. It
// makes one to see: another umask, or a default access control list of the
// directory, may have changed them since the interrupted load.
func (p *partial) umask() (fs.FileMode, error) {
	if err := p.root.RemoveAll(partialProbe); err != nil {
		return 0, err
	}
	if err := p.root.Mkdir(partialProbe, 0o777); err != nil {
		return 0, err
	}
	fi, err := p.root.Lstat(partialProbe)
	if err != nil {
		return 0, err
	}
	return fi.Mode().Perm(), p.root.Remove(partialProbe)
}

// removeAll removes name and all below it, also from directories that are
// read-only. It follows no link.
func removeAll(root *os.Root, name string) error {
	if err := root.RemoveAll(name); err == nil {
		return nil
	}
	fs.WalkDir(root.FS(), filepath.ToSlash(name), func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			root.Chmod(path, 0o700) // before WalkDir reads it
		}
		return nil
	})
	return root.RemoveAll(name)
}
