package cachestore

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/internal/manifest"
)

// errChanged: a tree was changed after it was made.
var errChanged = errors.New("changed")

func changed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errChanged}, args...)...)
}

// openTree opens the tree name. If the name is not a directory, or other users can
// change it, the error is errChanged.
func openTree(root *os.Root, name string) (*os.Root, error) {
	found, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !found.IsDir() {
		return nil, changed("it is not a directory any more")
	}
	tree, err := beneath.OpenRootIn(root, name)
	if err != nil {
		return nil, err
	}
	is, err := tree.Stat(".")
	if err == nil && !os.SameFile(found, is) {
		err = changed("it was replaced")
	}
	if err == nil {
		if why := localfs.Distrust(is); why != "" {
			err = changed("%s", why)
		}
	}
	if err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}

// soundTree returns what was changed in the tree name, or nil. It reads the files
// only if a change time is later than the tree was finished, though sizes and times
// are right.
func soundTree(root *os.Root, name string, files []manifest.File) error {
	tree, err := openTree(root, name)
	if err != nil {
		return err
	}
	defer tree.Close()
	suspect, err := checkTree(tree, files)
	if err != nil || !suspect {
		return err
	}
	if err := verifyTree(tree, files); err != nil {
		return err
	}
	touch(tree, listName) // later change times count from now on
	return nil
}

// checkTree returns what was changed in a tree, as far as that shows without
// reading the files. suspect reports whether anything has a later change time than
// the list.
func checkTree(tree *os.Root, files []manifest.File) (suspect bool, err error) {
	list, err := tree.Lstat(listName)
	if err != nil {
		return false, err
	}
	finished, _ := beneath.ChangeTime(list)
	look := func(name string) (fs.FileInfo, error) {
		info, err := tree.Lstat(filepath.Join(filesName, filepath.FromSlash(name)))
		if err != nil {
			return nil, changed("%s: %v", name, err)
		}
		if why := localfs.Distrust(info); why != "" {
			return nil, changed("%s: %s", name, why)
		}
		if at, ok := beneath.ChangeTime(info); ok && at.After(finished) {
			suspect = true
		}
		return info, nil
	}
	for i := range files {
		f := &files[i]
		info, err := look(f.Path)
		if err != nil {
			return false, err
		}
		if info.Mode().Type() != f.Mode().Type() {
			return false, changed("%s has another type", f.Path)
		}
		switch {
		case f.Link != "":
			if target, err := tree.Readlink(filepath.Join(filesName, filepath.FromSlash(f.Path))); err != nil || filepath.ToSlash(target) != f.Link {
				return false, changed("%s points elsewhere", f.Path)
			}
		case f.Regular() && (info.Size() != f.Size || !info.ModTime().Equal(stamp) ||
			f.Exec && runtime.GOOS != "windows" && info.Mode()&0o100 == 0):
			return false, changed("%s was written to", f.Path)
		}
	}
	for dir := range dirsOf(files) { // their times show what was added or removed
		info, err := look(dir)
		if err != nil {
			return false, err
		}
		if !info.IsDir() || !info.ModTime().Equal(stamp) {
			return false, changed("the directory %s was changed", dir)
		}
	}
	return suspect, nil
}

// dirsOf returns the directories of a tree, including ".".
func dirsOf(files []manifest.File) map[string]bool {
	dirs := map[string]bool{".": true}
	for i := range files {
		dir := files[i].Path
		if !files[i].Dir {
			dir = path.Dir(dir)
		}
		for ; !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	return dirs
}

// verifyTree compares the files of a tree with their digests. If files is nil, it
// uses the tree's own list.
func verifyTree(tree *os.Root, files []manifest.File) error {
	if files == nil {
		f, is, err := openFile(tree, listName)
		if err != nil {
			return err
		}
		defer f.Close()
		if is.Size() > maxList {
			return changed("its list is too long")
		}
		list, err := io.ReadAll(io.LimitReader(f, maxList))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(list, &files); err != nil {
			return changed("its list: %v", err)
		}
	}
	if _, err := checkTree(tree, files); err != nil {
		return err
	}
	known := dirsOf(files)
	for i := range files {
		f := &files[i]
		known[f.Path] = true
		if !f.Regular() {
			continue
		}
		if err := verifyFile(tree, f); err != nil {
			return err
		}
	}
	return fs.WalkDir(tree.FS(), filesName, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != filesName && !known[name[len(filesName)+1:]] {
			return changed("%s was added", name)
		}
		return nil
	})
}

// maxList is the largest size of a tree's list, in bytes.
const maxList = 1 << 30

// verifyFile compares one file with its digest.
func verifyFile(tree *os.Root, f *manifest.File) error {
	r, _, err := openFile(tree, filepath.Join(filesName, filepath.FromSlash(f.Path)))
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return err
	}
	if manifest.Digest(h.Sum(nil)) != f.SHA256 {
		return changed("%s does not have its digest", f.Path)
	}
	return nil
}

// stamp is the modification time of every file and directory of a tree. One with
// another time was changed.
var stamp = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
