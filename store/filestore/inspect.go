package filestore

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

var _ store.Inspector = (*Store)(nil)

// maxTold is how many links, and how many mounts, Inspect names.
const maxTold = 10

// Inspect implements store.Inspector: it names the symbolic links below the
// root, which the store does not follow, and the mount points.
func (s *Store) Inspect(ctx context.Context) ([]store.Fact, error) {
	if s.held.Load() == nil {
		return nil, nil
	}
	in := &inspection{ctx: ctx, s: s}
	if err := in.dir("", 0); err != nil {
		return nil, s.found(err)
	}
	return append(facts("link", in.links, isLink), facts("mount point", in.mounts, isMount)...), s.found(nil)
}

const isMount = "another file system is mounted inside the registry; whenever it is not mounted, a collection sees its files as deleted"

func facts(name string, paths []string, warning string) (all []store.Fact) {
	for i, path := range paths {
		if i == maxTold {
			return append(all, store.Fact{Name: name, Value: fmt.Sprintf("and %d more", len(paths)-i)})
		}
		all = append(all, store.Fact{Name: name, Value: path, Warning: warning})
	}
	return all
}

type inspection struct {
	ctx           context.Context
	s             *Store
	links, mounts []string
}

// dir inspects the directory rel, whose parent is on the given device.
func (in *inspection) dir(rel string, device uint64) error {
	if err := in.ctx.Err(); err != nil {
		return err
	}
	d, err := in.s.openFolder(rel)
	switch oserror.Of(err) {
	case oserror.Absent, oserror.Denied: // removed meanwhile, or an error of the call that needs it
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	st, err := d.status(".")
	if err != nil {
		return err
	}
	if rel != "" && st.device != device {
		in.mounts = append(in.mounts, d.path)
	}
	var below []string
	if _, err := d.each(func(name []byte, mode fs.FileMode) error {
		path := strings.TrimPrefix(rel+"/"+string(name), "/")
		switch {
		case mode&fs.ModeSymlink != 0:
			in.links = append(in.links, in.s.path(path))
		case mode.IsDir() && (string(name) == lockDir || store.ValidSegment(string(name)) == nil):
			below = append(below, path)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, path := range below {
		if err := in.dir(path, st.device); err != nil {
			return err
		}
	}
	return nil
}
