package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/internal/plain"
)

// Placing says what a load may do to what is at its destination.
type Placing struct {
	Exact     bool // the destination becomes the object, whatever is there
	NoClobber bool // nothing that is there is replaced
}

var ErrPlacing = errors.New("WithExact and WithNoClobber are about a Path, and this does not load into one")

func (p Placing) Check() error {
	if p.Exact && p.NoClobber {
		return errors.New("WithExact replaces what is there, and WithNoClobber nothing: give one of them")
	}
	return nil
}

// destination is where the files of a load go: a name in a directory, which is
// not that of a link.
type destination struct {
	path   string      // as the user knows it
	dir    string      // the directory,
	base   string      // and the name in it
	there  fs.FileInfo // what has the name, or nil
	single bool        // a file is to have it
	parent *os.Root    // the directory, once open was called
	made   []string    // directories that open has made, the outermost first
}

// destination finds out where the object goes, as "cp -r" would have it, and
// refuses, before anything is fetched, what can be told to fail.
func (fsys *FS) destination(dest string, how Placing) (*destination, error) {
	if dest == "" {
		return nil, &fs.PathError{Op: "load", Path: dest, Err: errors.New("empty path")}
	}
	single := fsys.isSingleFile()
	d, err := lookAt(dest)
	for err == nil && d.there == nil && d.base == "." { // "new/." is "new/"
		dest = strings.TrimSuffix(trimSlashes(dest), ".")
		d, err = lookAt(dest)
	}
	if err != nil {
		return nil, err
	}
	if d.there == nil && d.base == ".." {
		return nil, d.refuse("%w", fs.ErrNotExist)
	}
	slash := os.IsPathSeparator(dest[len(dest)-1])
	switch {
	case how.Exact && single && slash && d.there == nil:
		return nil, d.refuse("its name ends as that of a directory, and the object is a file")
	case !how.Exact && (d.there != nil && d.there.IsDir() || single && slash && d.there == nil):
		inside := fsys.m.Name[strings.LastIndexByte(fsys.m.Name, ':')+1:]
		if single {
			inside = path.Base(fsys.m.Content.Files[0].Path)
		}
		local, err := filepath.Localize(inside)
		if err != nil {
			return nil, &fs.PathError{Op: "load", Path: inside, Err: err}
		}
		if d, err = lookAt(trimSlashes(dest) + string(os.PathSeparator) + local); err != nil {
			return nil, err
		}
	}
	d.single = single
	if dir := d.inRegistry(); dir != "" {
		return nil, d.refuse("it is one of the registry's own, in %s; name another destination", dir)
	}
	if err := fsys.mayReplace(d, how); err != nil {
		return nil, err
	}
	return d, nil
}

// trimSlashes removes the separators that end the path of a directory.
func trimSlashes(path string) string {
	return strings.TrimRightFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}

// lookAt finds the name that path leads to, through symbolic links.
func lookAt(path string) (*destination, error) {
	d := &destination{path: path}
	if !strings.Contains(path, "..") { // which may mean another directory when it is left out
		d.path = filepath.Clean(path)
	}
	first := path
	if trimmed := trimSlashes(path); trimmed != "" {
		first = trimmed
	}
	at := first
	for range 40 {
		d.dir, d.base = splitPath(at)
		var err error
		if d.there, err = os.Lstat(at); errors.Is(err, fs.ErrNotExist) {
			d.there = nil
			if at != first {
				return nil, d.refuse("it is a symbolic link to %s, which does not exist; remove the link, or load to where it leads", at)
			}
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		if d.there.Mode()&fs.ModeSymlink == 0 {
			if first != path && d.there.Mode().IsRegular() {
				return nil, d.refuse("it is a file, and the name given ends as that of a directory")
			}
			return d, nil
		}
		if fi, err := os.Stat(at); err == nil && !fi.IsDir() && !fi.Mode().IsRegular() {
			return nil, specialFile(d.path, fi.Mode()) // such as /dev/stdout
		}
		dir, err := os.Stat(d.dir)
		if err != nil {
			return nil, err
		}
		if !localfs.MayFollow(d.there, dir) {
			return nil, d.refuse("it is a symbolic link of another user, in a directory where all may make some; load to where it leads: %w", fs.ErrPermission)
		}
		target, err := os.Readlink(at)
		if err != nil {
			return nil, err
		}
		if !filepath.IsAbs(target) && d.dir != "." { // not joined: "link/.." is where the link leads, and up
			target = d.dir + string(os.PathSeparator) + target
		}
		at = target
	}
	return nil, d.refuse("too many symbolic links")
}

// splitPath returns the directory and the name in it that make a path. It does not
// shorten "link/..", which is where the link leads, and up.
func splitPath(at string) (dir, base string) {
	dir, base = filepath.Split(at)
	if trimmed := trimSlashes(dir); trimmed != "" && trimmed != filepath.VolumeName(dir) {
		dir = trimmed
	}
	if dir == "" {
		dir = "."
	}
	return dir, base
}

func (d *destination) refuse(format string, args ...any) error {
	return &fs.PathError{Op: "write", Path: d.path, Err: fmt.Errorf(format, args...)}
}

// mayReplace says what is against putting the object in the place of what is
// there.
func (fsys *FS) mayReplace(d *destination, how Placing) error {
	if d.there == nil {
		return nil
	}
	isDir := d.there.IsDir()
	switch {
	case !isDir && !d.there.Mode().IsRegular():
		return specialFile(d.path, d.there.Mode())
	case how.NoClobber:
		return d.refuse("%w, and nothing is to be replaced", fs.ErrExist)
	case !how.Exact && isDir:
		return d.refuse("%w, as a directory; remove it, name another destination, or %s", fs.ErrExist, d.byExact(fsys.ref))
	case !how.Exact && !d.single:
		return d.refuse("%w, as a file, and the object is a tree; remove it, name another destination, or %s", fs.ErrExist, d.byExact(fsys.ref))
	}
	if how.Exact && isDir {
		if err := fsys.mayDestroy(d); err != nil {
			return err
		}
	}
	dir, err := os.Stat(d.dir)
	if err != nil {
		return err
	}
	if err := localfs.Fixed(filepath.Join(d.dir, d.base), d.there, dir); err != nil {
		return d.failed(fsys.ref, err)
	}
	return nil
}

// byExact says how to have what is there replaced. It names the destination: with
// the one that was given, which may be the directory above, all in that would go.
func (d *destination) byExact(ref string) string {
	return fmt.Sprintf("replace it and all in it: mindreg load --exact %s %s (in Go: WithExact)", plain.ShellWord(ref), plain.ShellWord(d.path))
}

// mayDestroy keeps a slip from replacing a directory that nobody means to lose.
func (fsys *FS) mayDestroy(d *destination) error {
	if d.base == "." || d.base == ".." || d.base == "" {
		return d.refuse("to replace a directory, give its name")
	}
	home, _ := os.UserHomeDir()
	for _, keep := range []struct{ dir, what string }{
		{".", "the current directory"}, {home, "your home directory"}, {fsys.Keep, "the registry"},
	} {
		if keep.dir != "" && localfs.Within(keep.dir, d.there) {
			return d.refuse("it is, or holds, %s, and is not replaced", keep.what)
		}
	}
	at := filepath.Join(d.dir, d.base)
	if isRegistry(at) {
		return d.refuse("it is a registry, and is not replaced")
	}
	if point := localfs.MountIn(at); point != "" {
		return d.refuse("it holds the mount point %s, and is not replaced", point)
	}
	return nil
}

// inRegistry returns the registry that the destination is in a place of its own
// of, such as "packs", or "".
func (d *destination) inRegistry() string {
	name, dir := d.base, d.dir
	for {
		at, err := filepath.EvalSymlinks(dir) // of what is there already
		if err == nil {
			at, err = filepath.Abs(at)
		}
		if err == nil {
			dir = at
		}
		if own := name == manifest.SettingsKey || slices.Contains(manifest.Prefixes, name+"/"); own && isRegistry(dir) {
			return dir
		}
		if trimSlashes(dir) == "" || filepath.Dir(dir) == dir {
			return ""
		}
		dir, name = filepath.Dir(dir), filepath.Base(dir)
	}
}

// open makes the directories that are missing, and holds the one of the
// destination open.
func (d *destination) open() (err error) {
	var missing []string
	for at := d.dir; ; {
		if _, err := os.Stat(at); err == nil || !errors.Is(err, fs.ErrNotExist) {
			break // if it is no directory, opening says so
		}
		up, _ := splitPath(at)
		if up == at {
			break
		}
		missing = append(missing, at)
		at = up
	}
	for _, dir := range slices.Backward(missing) {
		if err := os.Mkdir(dir, 0o777); err == nil {
			d.made = append(d.made, dir)
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	d.parent, err = beneath.OpenRoot(d.dir)
	return err
}

// close removes the directories that open has made, if there is nothing to be in
// them.
func (d *destination) close(err error) {
	if d.parent != nil {
		d.parent.Close()
	}
	if err != nil {
		for _, dir := range slices.Backward(d.made) {
			os.Remove(dir)
		}
	}
}

// failed gives an error the path that the user knows, in place of that of a
// temporary file, and says what to do about a file that cannot be replaced.
func (d *destination) failed(ref string, err error) error {
	full := oserror.Of(err) == oserror.Full
	switch e := err.(type) { // not what is wrapped, with more to say
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	}
	barred := errors.Is(err, fs.ErrPermission) || oserror.Of(err) == oserror.ReadOnly || errors.Is(err, syscall.EBUSY)
	if barred && d.single && d.there != nil && d.there.Mode().IsRegular() {
		err = fmt.Errorf("%w; a file is replaced by a new one beside it, which cannot be had here; "+
			"to write into it as it is: mindreg load %s - > %s (in Go: load into an io.Writer)", err, plain.ShellWord(ref), plain.ShellWord(d.path))
	}
	if full {
		err = fmt.Errorf("%w: %w", fault.ErrNoSpace, err)
	}
	return &fs.PathError{Op: "write", Path: d.path, Err: err}
}

// specialFile refuses to put a file in the place of a pipe or a device.
func specialFile(dest string, mode fs.FileMode) error {
	return &fs.PathError{Op: "write", Path: dest, Err: fmt.Errorf(
		"it is no regular file (%s); to write into it, load to - and redirect that (in Go: into an io.Writer)", mode)}
}
