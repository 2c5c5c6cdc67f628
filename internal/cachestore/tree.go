package cachestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mindtrace/registry/internal/backoff"
	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/manifest"
)

const (
	filesName = "files"
	listName  = "files.json" // what is in it, for Verify
)

// Tree returns the directory with the files of the version that has the digest. If
// the cache has none, Tree calls write to fill a new directory, makes its files
// read-only, and renames it into place. If the disk is full and Tree can make room,
// it calls write again, on the same directory.
//
// Before it returns a directory that exists, Tree checks the sizes and times of its
// files. If they are different, the tree is made again. If only change times are,
// Tree reads the files and compares their digests.
//
// A tree is kept for an hour after Tree has returned it. After that, processes that
// have files of it open or mapped can still read them.
func (c *Cache) Tree(ctx context.Context, digest manifest.Digest, files []manifest.File, write func(dir string) error) (string, error) {
	var size int64 = 2 * block
	for i := range files {
		size += block + cost(files[i].Size) // the block is for its entries in directories and in the list
	}
	root, err := c.prepare()
	if err != nil {
		return "", err
	}
	defer root.Close()
	name := path.Join(treesDir, digest.Hex()+"."+strconv.FormatInt(size, 10))
	dir := c.filesOf(name)
	touch(root, name) // before the check, so that nobody drops the tree after it
	if err := soundTree(root, name, files); err == nil {
		return dir, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		c.log.WarnContext(ctx, "a checked-out tree was changed; it is made anew", "dir", dir, "why", err)
	}
	tmp, err := c.awaitTree(ctx, root, size, func() bool {
		touch(root, name)
		return soundTree(root, name, files) == nil
	})
	if err != nil {
		return "", err
	}
	if tmp == "" {
		return dir, nil
	}
	defer removeTree(root, tmp) // does nothing after the rename
	defer keepTouching(root, tmp)()
	if err := c.fitting(root, size, func() error { return write(c.filesOf(tmp)) }); err != nil {
		return "", err
	}
	if err := c.fitting(root, size, func() error { return finishTree(root, tmp, files) }); err != nil {
		return "", err
	}
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return "", err
	}
	touch(root, tmp)
	if err := root.Rename(tmp, name); err != nil && soundTree(root, name, files) != nil { // else another process was faster
		retire(root, name)
		if err := root.Rename(tmp, name); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// filesOf returns the path of the files of the tree name.
func (c *Cache) filesOf(name string) string {
	return filepath.Join(c.dir, filepath.FromSlash(name), filesName)
}

// awaitTree is stageTree, but waits while there is no room because other processes
// add entries. It returns "" as soon as made reports that one of them has made the
// same tree.
func (c *Cache) awaitTree(ctx context.Context, root *os.Root, size int64, made func() bool) (tmp string, err error) {
	var until time.Time
	for {
		err := c.fitting(root, size, func() (err error) {
			tmp, err = c.stageTree(root, size)
			return err
		})
		if !errors.Is(err, errBusy) {
			return tmp, err
		}
		if until.IsZero() {
			c.log.InfoContext(ctx, "waiting for others who are filling the cache", "dir", c.dir, "bytes", size)
			until = time.Now().Add(patience)
		}
		if treeInMaking(root) {
			until = time.Now().Add(patience)
		} else if time.Now().After(until) {
			return "", err
		}
		if err := backoff.Sleep(ctx, 10*time.Millisecond+backoff.Random(90*time.Millisecond)); err != nil {
			return "", err
		}
		if made() {
			return "", nil
		}
	}
}

// stageTree makes a directory in tmp for a tree of size bytes, and makes room for
// it. The size is in its name.
func (c *Cache) stageTree(root *os.Root, size int64) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tmp := newTmp() + "." + strconv.FormatInt(size, 10)
	if err := root.MkdirAll(path.Join(tmp, filesName), 0o700); err != nil {
		return "", err
	}
	if err := c.admit(root, size); err != nil {
		removeTree(root, tmp)
		if errors.Is(err, errNoRoom) {
			err = fmt.Errorf("%w for %d bytes: its limit is %d, and it keeps what was checked out within the last hour; MINDREG_CACHE_SIZE sets the limit", err, size, c.budget)
		}
		return "", err
	}
	return tmp, nil
}

// keepTouching shows other processes that the tree name is not abandoned, until
// stop is called.
func keepTouching(root *os.Root, name string) (stop func()) {
	ticker, done := time.NewTicker(patience/6), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				touch(root, name)
			case <-done:
				ticker.Stop()
				return
			}
		}
	}()
	return func() { close(done) }
}

// finishTree makes the files of a tree read-only, and then writes their list. What
// has a later change time than the list was changed by others. Directories stay
// writable for their owner, so that they can be removed.
func finishTree(root *os.Root, name string, files []manifest.File) error {
	tree, err := beneath.OpenRootIn(root, name)
	if err != nil {
		return err
	}
	defer tree.Close()
	var dirs []string
	err = fs.WalkDir(tree.FS(), filesName, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			dirs = append(dirs, name)
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := tree.Chtimes(name, stamp, stamp); err != nil {
			return err
		}
		return tree.Chmod(name, info.Mode().Perm()&0o555)
	})
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := tree.Chtimes(dir, stamp, stamp); err != nil {
			return err
		}
		if err := tree.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	list, err := json.Marshal(files)
	if err != nil {
		return err
	}
	return tree.WriteFile(listName, list, 0o600)
}

// retire removes a tree. It renames the tree to tmp first, so that nobody finds
// half of it.
func retire(root *os.Root, name string) error {
	tmp := newTmp() + path.Ext(name)
	err := root.Rename(name, tmp)
	if _, lerr := root.Lstat(tmpDir); errors.Is(lerr, fs.ErrNotExist) {
		return removeTree(root, name) // there is no tmp, and a full disk has no room to make it
	}
	if err != nil {
		return err
	}
	return removeTree(root, tmp)
}

// removeTree removes the file or directory name. Directories may be read-only:
// earlier versions of this program made them so.
func removeTree(root *os.Root, name string) error {
	if is, err := root.Lstat(name); err == nil && is.IsDir() {
		fs.WalkDir(root.FS(), name, func(name string, d fs.DirEntry, err error) error {
			if d == nil || !d.IsDir() {
				return nil
			}
			if info, err := d.Info(); err == nil && info.Mode()&0o700 != 0o700 {
				root.Chmod(name, 0o700) // before WalkDir reads it
			}
			return nil
		})
	}
	return root.RemoveAll(name)
}
