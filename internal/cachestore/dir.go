package cachestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/store"
)

const (
	packsDir = "packs"
	treesDir = "trees"
	seenDir  = "seen"
	tmpDir   = "tmp"

	// https://bford.info/cachedir/
	tagName = "CACHEDIR.TAG"
	tagBody = "Signature: 8a477f597d28d172789f06886806bc55\n# Copies of what mindreg has read. They may be deleted at any time.\n"
)

// kinds are the directories of a cache. tmp is the first: so an entry that is
// renamed into place while they are listed is seen at least once.
var kinds = []string{tmpDir, packsDir, treesDir, seenDir}

// distrustError is the fs.ErrPermission for a cache that other users can change.
type distrustError struct{ path, why string }

func (e *distrustError) Error() string {
	return fmt.Sprintf("cache directory %s is not used: %s; set MINDREG_CACHE_DIR to a directory of your own", e.path, e.why)
}

// Is makes the error fs.ErrPermission.
func (e *distrustError) Is(target error) bool { return target == fs.ErrPermission }

// open opens the directory of the cache for one step. Before the next one, it may
// be removed or replaced. open refuses a directory that belongs to another user, or
// that everybody may write to. It accepts one with the sticky bit, such as /tmp, if
// the directories in it belong to this user. Links in it are never followed.
func (c *Cache) open() (*os.Root, error) {
	named, err := os.Lstat(c.dir)
	if err != nil {
		return nil, err
	}
	if why := localfs.Stranger(named); why != "" { // the owner of a link, not of its target
		return nil, &distrustError{c.dir, why}
	}
	root, err := beneath.OpenRoot(c.dir)
	if err != nil {
		return nil, err
	}
	if err := c.trust(root); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// trust returns why other users can change what is in the open directory, or nil.
func (c *Cache) trust(root *os.Root) error {
	is, err := root.Stat(".")
	if err != nil {
		return err
	}
	why := localfs.Stranger(is)
	if is.Mode()&fs.ModeSticky == 0 {
		why = localfs.Distrust(is)
	}
	if why != "" {
		return &distrustError{c.dir, why}
	}
	for _, kind := range kinds {
		is, err := root.Lstat(kind)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case !is.IsDir():
			why = "it is not a directory (" + is.Mode().String() + ")"
		default:
			why = localfs.Distrust(is)
		}
		if why != "" {
			return &distrustError{filepath.Join(c.dir, kind), why}
		}
	}
	return nil
}

// prepare is open, for a step that adds something. It makes the directory.
func (c *Cache) prepare() (*os.Root, error) {
	root, err := c.open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(c.dir, 0o700); err != nil {
			return nil, err
		}
		root, err = c.open()
	}
	if err != nil {
		return nil, err
	}
	if err := root.Mkdir(tmpDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		root.Close()
		return nil, err
	}
	if _, err := root.Lstat(tagName); errors.Is(err, fs.ErrNotExist) {
		if root.WriteFile(tagName, []byte(tagBody), 0o600) != nil {
			root.Remove(tagName) // the next step tries again
		}
	}
	return root, nil
}

// look is open, for a step that works without the cache, too. It returns nil if
// the cache cannot be used, and logs that.
func (c *Cache) look() *os.Root {
	root, err := c.open()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.warn(err)
	}
	return root
}

// Check returns why the directory of the cache cannot be used, or nil. With
// fs.ErrPermission, it belongs to another user, everybody may write to it, or this
// user may not read it. A directory that does not exist yet can be used.
func (c *Cache) Check() error {
	root, err := c.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		root.Close()
	}
	return err
}

// IsCache reports whether dir is the directory of a cache. A save leaves it out.
func IsCache(dir fs.FS) bool {
	if fi, err := fs.Stat(dir, tagName); err != nil || fi.Size() != int64(len(tagBody)) || !fi.Mode().IsRegular() {
		return false
	}
	tag, err := fs.ReadFile(dir, tagName)
	return err == nil && string(tag) == tagBody
}

// openFile opens a file of the cache. If other users can change it, the error is
// beneath.ErrReplaced.
func openFile(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := beneath.RegularIn(root, name)
	if err != nil {
		return nil, nil, err
	}
	is, err := f.Stat()
	if err == nil && localfs.Distrust(is) != "" {
		err = &fs.PathError{Op: "open", Path: f.Name(), Err: beneath.ErrReplaced}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, is, nil
}

// maxFile is the largest size of a file of the cache, in bytes: a body, the time at
// which it was put, and the checksum.
const maxFile = store.MaxBody + 8 + sumSize
