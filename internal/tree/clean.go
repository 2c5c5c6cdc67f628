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

// Leftover is what a load that did not end has left beside its destination.
type Leftover struct {
	Path string
	Size int64  // bytes on the disk, as far as they can be seen
	Kept string // why it was not removed, or empty
}

// Clean tells of what loads have left in a directory, and removes what it can,
// unless dry is set.
func Clean(ctx context.Context, dir string, dry bool, told func(Leftover)) error {
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
		told(l)
	}
	return nil
}

// partialName is what partials are called, those of earlier versions of this
// program included.
var partialName = regexp.MustCompile(`^\.mindreg-([0-9a-f]{16}|[0-9a-f]{12}|[a-z2-7]{8})$`)

// partials returns the names in a directory that match says, sorted.
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

// clearPartials removes what earlier loads to a destination have left, as far as
// it can: the load that is complete does not depend on it.
func clearPartials(parent *os.Root, base string) {
	of := partialsOf(base)
	names, _ := partials(parent, func(name string) bool {
		return len(name) > len(of) && name[:len(of)] == of && partialName.MatchString(name)
	})
	for _, name := range names {
		clearPartial(parent, name, false)
	}
}

// clearPartial removes a leftover that is this user's, that nobody is using, and that
// holds nothing but what loads make.
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
			return errors.New("it holds something that no load has made: " + n)
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

// taken returns how many bytes what is below a directory takes on the disk. It may
// be another user's, who puts other things there meanwhile.
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
