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

// Placing says what a load may do to files that exist at its destination. The
// zero value replaces a file by a file, and nothing else.
type Placing struct {
	Exact     bool // replace whatever has the name of the destination
	NoClobber bool // replace nothing
}

// ErrPlacing: a Placing was given to a load that does not go to a path.
var ErrPlacing = errors.New("WithExact and WithNoClobber need a Path to load into")

// Check returns an error if the fields contradict each other.
func (p Placing) Check() error {
	if p.Exact && p.NoClobber {
		return errors.New("WithExact replaces what exists, and WithNoClobber replaces nothing: give only one of them")
	}
	return nil
}

// destination is where the files of a load go: a name in a directory. It is the
// end of all symbolic links, not the name of one.
type destination struct {
	path   string      // as the user knows it
	dir    string      // the directory
	base   string      // the name in it
	there  fs.FileInfo // the file or directory that has the name, or nil
	single bool        // the object goes there as a file, not as a directory
	parent *os.Root    // the directory; open sets it
	made   []string    // directories that open has made, the outermost first
}

// destination finds out where the object goes, by the rules of "cp -r". It
// refuses what is certain to fail, before anything is fetched.
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
		return nil, d.refuse("the name ends like that of a directory, but the object is a file; leave out the slash at the end")
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
		return nil, d.refuse("it is inside the registry %s; name another destination", dir)
	}
	if err := fsys.mayReplace(d, how); err != nil {
		return nil, err
	}
	return d, nil
}

// trimSlashes removes the separators at the end of a path.
func trimSlashes(path string) string {
	return strings.TrimRightFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}

// lookAt follows the symbolic links at the end of path, and returns where they
// lead. It does not set single.
func lookAt(path string) (*destination, error) {
	d := &destination{path: path}
	if !strings.Contains(path, "..") { // "link/.." is not the directory of link
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
				return nil, d.refuse("it is a symbolic link to %s, which does not exist; remove the link, or load to its target", at)
			}
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		if d.there.Mode()&fs.ModeSymlink == 0 {
			if first != path && d.there.Mode().IsRegular() {
				return nil, d.refuse("it is a file, but the name ends like that of a directory; leave out the slash at the end")
			}
			return d, nil
		}
		if fi, err := os.Stat(at); err == nil && !fi.IsDir() && !fi.Mode().IsRegular() {
			return nil, specialFile(d.path, fi.Mode()) // for example /dev/stdout
		}
		dir, err := os.Stat(d.dir)
		if err != nil {
			return nil, err
		}
		if !localfs.MayFollow(d.there, dir) {
			return nil, d.refuse("it is a symbolic link of another user, in a directory where everybody may make one; load to its target: %w", fs.ErrPermission)
		}
		target, err := os.Readlink(at)
		if err != nil {
			return nil, err
		}
		if !filepath.IsAbs(target) && d.dir != "." { // filepath.Join would shorten "link/.."
			target = d.dir + string(os.PathSeparator) + target
		}
		at = target
	}
	return nil, d.refuse("too many symbolic links")
}

// splitPath returns the directory of a path, and the name in it. It does not
// shorten "link/..", which is the directory above the link's target.
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

// mayReplace returns why the object may not replace what has the name of the
// destination, or nil.
func (fsys *FS) mayReplace(d *destination, how Placing) error {
	if d.there == nil {
		return nil
	}
	isDir := d.there.IsDir()
	switch {
	case !isDir && !d.there.Mode().IsRegular():
		return specialFile(d.path, d.there.Mode())
	case how.NoClobber:
		return d.refuse("%w, and this load replaces nothing", fs.ErrExist)
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

// byExact returns how to replace what exists, as a command. It names d.path and not
// the path that the user gave: that may be the directory above, and then the
// command would replace all of it.
func (d *destination) byExact(ref string) string {
	return fmt.Sprintf("replace it and all in it: mindreg load --exact %s %s (in Go: WithExact)", plain.ShellWord(ref), plain.ShellWord(d.path))
}

// mayDestroy refuses to replace a directory that was probably named by mistake:
// the working directory, the home directory, a registry, one with a mount point.
func (fsys *FS) mayDestroy(d *destination) error {
	if d.base == "." || d.base == ".." || d.base == "" {
		return d.refuse("to replace a directory, give its name")
	}
	home, _ := os.UserHomeDir()
	for _, keep := range []struct{ dir, what string }{
		{".", "the current directory"}, {home, "your home directory"}, {fsys.Keep, "the registry"},
	} {
		if keep.dir != "" && localfs.Within(keep.dir, d.there) {
			return d.refuse("it is or contains %s, so it is not replaced", keep.what)
		}
	}
	at := filepath.Join(d.dir, d.base)
	if isRegistry(at) {
		return d.refuse("it is a registry, so it is not replaced")
	}
	if point := localfs.MountIn(at); point != "" {
		return d.refuse("it contains the mount point %s, so it is not replaced", point)
	}
	return nil
}

// inRegistry returns the directory of a registry if the destination is one of
// the names that a registry uses there ("packs", "objects", ...), or is below one.
// Otherwise it returns "".
func (d *destination) inRegistry() string {
	name, dir := d.base, d.dir
	for {
		at, err := filepath.EvalSymlinks(dir) // fails if dir does not exist yet
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

// open makes the directories that are missing, and opens d.dir.
func (d *destination) open() (err error) {
	var missing []string
	for at := d.dir; ; {
		if _, err := os.Stat(at); err == nil || !errors.Is(err, fs.ErrNotExist) {
			break // if it is no directory, OpenRoot fails
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

// close closes d.dir. If the load has failed with err, it removes the directories
// that open has made.
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

// failed gives err the path of the destination, in place of that of a temporary
// file. To an error about a file that cannot be replaced, it adds what to do.
func (d *destination) failed(ref string, err error) error {
	full := oserror.Of(err) == oserror.Full
	switch e := err.(type) { // only the outermost: what wraps one has more to say
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	}
	barred := errors.Is(err, fs.ErrPermission) || oserror.Of(err) == oserror.ReadOnly || errors.Is(err, syscall.EBUSY)
	if barred && d.single && d.there != nil && d.there.Mode().IsRegular() {
		err = fmt.Errorf("%w; to replace a file, a new one is made beside it, which is not possible here; "+
			"to write into the file as it is: mindreg load %s - > %s (in Go: load into an io.Writer)", err, plain.ShellWord(ref), plain.ShellWord(d.path))
	}
	if full {
		err = fmt.Errorf("%w: %w", fault.ErrNoSpace, err)
	}
	return &fs.PathError{Op: "write", Path: d.path, Err: err}
}

// specialFile is the error for a destination that is a pipe or a device.
func specialFile(dest string, mode fs.FileMode) error {
	return &fs.PathError{Op: "write", Path: dest, Err: fmt.Errorf(
		"it is not a regular file (%s); to write into it, load to - and redirect the output (in Go: load into an io.Writer)", mode)}
}
