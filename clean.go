package registry

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

// CleanOptions adjust Clean. nil means the zero value.
type CleanOptions struct {
	DryRun bool // remove nothing, only tell
}

// Leftover is what a load that did not end has left beside its destination.
type Leftover struct {
	Path string `json:"path"`
	Size int64  `json:"size"`          // bytes on the disk, as far as they can be seen
	Kept string `json:"kept,omitzero"` // why it was not removed, or empty
}

// CleanReport tells what Clean has found, in the order of the paths.
type CleanReport struct {
	Leftovers []Leftover `json:"leftovers"`
}

// Clean removes from a directory what loads have left there that were
// interrupted and not run again: directories whose names begin with ".mindreg-".
// It does not look into other directories. What belongs to another user, or to a
// load that is going on, stays, and the report says so; a load that would have
// gone on from what is removed begins anew.
//
// Errors: those of reading dir. What cannot be removed is in the report.
func Clean(ctx context.Context, dir string, opts *CleanOptions) (*CleanReport, error) {
	var o CleanOptions
	if opts != nil {
		o = *opts
	}
	report, err := clean(ctx, dir, o)
	return report, wrap(ctx, "clean", "", err)
}

func clean(ctx context.Context, dir string, o CleanOptions) (*CleanReport, error) {
	parent, err := beneath.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	report := &CleanReport{Leftovers: []Leftover{}}
	names, err := partials(parent, func(name string) bool { return partialName.MatchString(name) })
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l := Leftover{Path: filepath.Join(dir, name), Size: taken(parent, name)}
		if err := clearPartial(parent, name, o.DryRun); err != nil {
			l.Kept = err.Error()
		}
		report.Leftovers = append(report.Leftovers, l)
	}
	return report, nil
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
