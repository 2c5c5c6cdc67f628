package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/mindtrace/registry/manifest"
)

const (
	filesName = "files"
	listName  = "files.json" // what is in it, for Verify
)

// stamp is when every file of a tree was last changed, by its own account. One
// that says otherwise was changed.
var stamp = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Tree returns the directory with the files of a version, whose digest it has
// in its name. If there is none, write fills a new one, which then becomes
// read-only and is renamed into place. One whose files do not have their sizes
// or times any more is made anew; bytes are compared by Verify only.
//
// A tree is not thrown out within an hour after Tree has returned it. Files
// that are open or mapped by then can be read on, except where the system
// does not let them be removed, and so they stay.
func (c *Cache) Tree(ctx context.Context, digest manifest.Digest, files []manifest.File, write func(dir string) error) (string, error) {
	var size int64 = 2 * block
	for i := range files {
		size += block + cost(files[i].Size) // with its entry in directories and list
	}
	path := filepath.Join(c.dir, treesDir, digest.Hex()+"."+strconv.FormatInt(size, 10))
	touch(path) // before the look, so that nobody takes it away after it
	if err := checkTree(path, files); err == nil {
		return filepath.Join(path, filesName), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		c.log.WarnContext(ctx, "a checked-out tree was changed; it is made anew", "dir", path, "why", err)
	}
	tmp, err := c.awaitTree(ctx, size, func() bool {
		touch(path)
		return checkTree(path, files) == nil
	})
	if err != nil {
		return "", err
	}
	if tmp == "" {
		return filepath.Join(path, filesName), nil
	}
	defer removeTree(tmp) // nothing, once it was renamed
	defer keepTouching(tmp)()
	if err := write(filepath.Join(tmp, filesName)); err != nil {
		return "", err
	}
	if err := finishTree(tmp, files); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	touch(tmp)
	if err := os.Rename(tmp, path); err != nil && checkTree(path, files) != nil { // else another process was faster
		c.retire(path)
		if err := os.Rename(tmp, path); err != nil {
			return "", err
		}
	}
	return filepath.Join(path, filesName), nil
}

// awaitTree is stageTree, but waits for others who are filling the cache if
// that is why there is no room. It returns "" as soon as one of them has made
// the very same tree.
func (c *Cache) awaitTree(ctx context.Context, size int64, made func() bool) (tmp string, err error) {
	var until time.Time
	for {
		tmp, err := c.stageTree(size)
		if !errors.Is(err, errBusy) {
			return tmp, err
		}
		if until.IsZero() {
			c.log.InfoContext(ctx, "waiting for others who are filling the cache", "dir", c.dir, "bytes", size)
			until = time.Now().Add(patience)
		}
		if c.treeInMaking() {
			until = time.Now().Add(patience)
		} else if time.Now().After(until) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(10*time.Millisecond + rand.N(90*time.Millisecond)):
		}
		if made() {
			return "", nil
		}
	}
}

// stageTree makes a directory in tmp for a tree that there is room for. The
// room is in its name.
func (c *Cache) stageTree(size int64) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.prepare(); err != nil {
		return "", err
	}
	tmp := c.tmp() + "." + strconv.FormatInt(size, 10)
	if err := os.MkdirAll(filepath.Join(tmp, filesName), 0o700); err != nil {
		return "", err
	}
	if err := c.admit(size); err != nil {
		removeTree(tmp)
		return "", fmt.Errorf("%w for %d bytes: it may take %d, and does not drop what was checked out within the hour (MINDREG_CACHE_SIZE sets its size)", err, size, c.budget)
	}
	return tmp, nil
}

// keepTouching tells others that dir is not abandoned, until stop is called.
func keepTouching(dir string) (stop func()) {
	ticker, done := time.NewTicker(patience/6), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				touch(dir)
			case <-done:
				ticker.Stop()
				return
			}
		}
	}()
	return func() { close(done) }
}

// finishTree makes the files of a tree read-only and writes the list of them.
func finishTree(tmp string, files []manifest.File) error {
	var dirs []string
	err := filepath.WalkDir(filepath.Join(tmp, filesName), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			dirs = append(dirs, path)
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&0o555)
	})
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Chmod(dir, 0o555); err != nil {
			return err
		}
	}
	list, err := json.Marshal(files)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(tmp, listName), list, 0o600)
}

// checkTree reports what was changed in a tree, as far as it can be told
// without reading it.
func checkTree(path string, files []manifest.File) error {
	if _, err := os.Lstat(filepath.Join(path, listName)); err != nil {
		return err
	}
	for i := range files {
		f := &files[i]
		at := filepath.Join(path, filesName, filepath.FromSlash(f.Path))
		info, err := os.Lstat(at)
		if err != nil {
			return fmt.Errorf("%s: %v", f.Path, err)
		}
		if info.Mode().Type() != f.Mode().Type() {
			return fmt.Errorf("%s has become something else", f.Path)
		}
		switch {
		case f.Link != "":
			if target, err := os.Readlink(at); err != nil || filepath.ToSlash(target) != f.Link {
				return fmt.Errorf("%s points elsewhere", f.Path)
			}
		case f.Regular() && (info.Size() != f.Size || !info.ModTime().Equal(stamp) ||
			f.Exec && runtime.GOOS != "windows" && info.Mode()&0o100 == 0):
			return fmt.Errorf("%s was written to", f.Path)
		}
	}
	return nil
}

// retire takes a tree away: first all of it out of sight, then its files.
func (c *Cache) retire(path string) error {
	tmp := c.tmp() + filepath.Ext(path)
	if err := os.Rename(path, tmp); err != nil {
		return err
	}
	return removeTree(tmp)
}

// removeTree is os.RemoveAll for read-only directories.
func removeTree(path string) error {
	filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700) // before it is read
		}
		return nil
	})
	return os.RemoveAll(path)
}
