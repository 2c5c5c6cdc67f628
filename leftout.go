package registry

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/tree"
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
	case strings.HasPrefix(path.Base(name), tree.PartialPrefix):
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
