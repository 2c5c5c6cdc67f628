package tree

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
)

// Leftover is a directory that an interrupted load has left beside its
// destination.
type Leftover struct {
	Path string
	Size int64  // bytes on the disk, as far as this user can read them
	Kept string // why Clean has not removed it, or ""
}

// Clean calls report for each leftover of loads in a directory, in the order of
// their names, after it has removed it. It keeps those of other users and those in
// use, and with dry set all of them. Subdirectories are not searched.
func Clean(ctx context.Context, dir string, dry bool, report func(Leftover)) error {
	parent, err := beneath.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer parent.Close()
	names, err := partials(parent, func(name string) bool { return partialName.MatchString(name) })
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		l := Leftover{Path: filepath.Join(dir, name), Size: taken(parent, name)}
		if err := clearPartial(parent, name, dry); err != nil {
			l.Kept = err.Error()
		}
		report(l)
	}
	return nil
}

// partialName matches the names of partials, also of those that earlier versions
// of this program have made.
var partialName = regexp.MustCompile(`^\.mindreg-([0-9a-f]{16}|[0-9a-f]{12}|[a-z2-7]{8})$`)

// partials returns the names in a directory for which match is true, sorted.
func partials(parent *os.Root, match func(string) bool) (names []string, err error) {
	d, err := parent.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for {
		some, err := d.Readdirnames(1024)
		for _, name := range some {
			if match(name) {
				names = append(names, name)
			}
		}
		if err == io.EOF {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// clearPartials removes what earlier loads to a destination have left. It ignores
// errors: the load that calls it is complete.
func clearPartials(parent *os.Root, base string) {
	of := partialsOf(base)
	names, _ := partials(parent, func(name string) bool {
		return len(name) > len(of) && name[:len(of)] == of && partialName.MatchString(name)
	})
	for _, name := range names {
		clearPartial(parent, name, false)
	}
}

// clearPartial removes a leftover, unless dry is set. It returns an error if the
// leftover belongs to another user, if a load is using it, or if it holds a file
// that no load makes.
func clearPartial(parent *os.Root, name string, dry bool) error {
	fi, err := parent.Lstat(name)
	if err != nil {
		return err
	}
	if !fi.IsDir() || !localfs.Mine(fi) {
		return errForeign
	}
	p := &partial{parent: parent, name: name}
	if p.root, err = beneath.OpenRootIn(parent, name); err != nil {
		return err
	}
	defer p.root.Close()
	if is, err := p.root.Stat("."); err != nil || !os.SameFile(is, fi) {
		return errForeign
	}
	entries, err := fs.ReadDir(p.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n := e.Name(); n != partialTree && n != partialAside && n != partialLock && n != partialProbe {
			return errors.New("it holds a file that no load has made: " + n)
		}
	}
	if err := p.takeLock(false); err != nil {
		p.unlock()
		return err
	}
	if dry {
		p.unlock()
		return nil
	}
	return p.remove()
}

// taken returns how many bytes on the disk the files below a directory take. The
// directory may belong to another user, who may change it meanwhile: errors are
// ignored, and nothing outside is opened.
func taken(root *os.Root, dir string) (n int64) {
	entries, _ := beneath.ReadDirIn(root, dir)
	for _, e := range entries {
		if e.IsDir() {
			n += taken(root, filepath.Join(dir, e.Name()))
		} else if fi, err := e.Info(); err == nil && fi.Mode().IsRegular() {
			n += localfs.Allocated(fi)
		}
	}
	return n
}
