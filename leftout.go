package registry

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/tree"
	"github.com/mindtrace/registry/material"
)

// LeftOut is a file or directory that a save leaves out of a tree, because it
// belongs to mindreg and is not the user's data: the leftovers of an interrupted
// load, the registry itself, or a cache.
type LeftOut struct {
	Path string `json:"path"` // below the saved directory, with slashes
	Why  string `json:"why"`  // what it is, for people
}

// LeaveOut implements material.Sieve.
func (s *sink) LeaveOut(name string, dir fs.FS) bool {
	why := ""
	switch {
	case strings.HasPrefix(path.Base(name), tree.Prefix):
		why = "left by an interrupted load"
	case dir == nil:
	case s.r.liesIn(dir):
		why = "this registry, or a copy of it"
	case cachestore.IsCache(dir):
		why = "a cache of mindreg"
	}
	if why != "" {
		s.left = append(s.left, LeftOut{name, why})
	}
	return why != ""
}

// liesIn reports whether dir is the directory of this registry, or a copy of it:
// the settings in it have the same ID.
func (r *Registry) liesIn(dir fs.FS) bool {
	is := tree.SettingsIn(dir)
	return is != nil && is.ID == r.ledger.Settings.ID
}

// refuseItself refuses to save the registry into itself: each save would contain
// all earlier ones.
func (r *Registry) refuseItself(v any) error {
	var dir fs.FS
	what := "the tree"
	switch v := v.(type) {
	case Path:
		d, err := beneath.OpenDir(string(v))
		if err != nil {
			return err
		}
		defer d.Close()
		dir, what = d, string(v)
	case fs.FS:
		dir = v
	}
	if dir == nil || !r.liesIn(dir) {
		return nil
	}
	return fmt.Errorf("%s is the registry that it would be saved into; save other files in it by their names, or copy the registry with mindreg cp --all (in Go: Copy)", what)
}

// dereferencing returns the materializer that follows links, in place of m.
func dereferencing(m material.Materializer, v any) (material.Materializer, error) {
	if _, ok := v.(Path); ok {
		switch m.(type) {
		case material.Dir:
			return material.Dir{Dereference: true}, nil
		case material.File:
			return m, nil // a file that is named is what a link leads to
		}
	}
	return nil, fmt.Errorf("%w: links are followed from a Path that is saved as a file or directory, not from a %T saved by %q; leave WithDereference out", ErrType, v, m.Name())
}
