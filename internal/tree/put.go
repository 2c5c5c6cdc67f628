package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
)

// put renames the complete object from tmp to the destination. It gives the object
// the permissions of what it replaces. A directory is exchanged in one step. Where
// the system cannot do that, the old one is renamed to tmp first. A crash between
// the two steps leaves nothing at the destination; the same load, run again, puts
// the object there.
//
// With Exact, another process may change the destination between the check and the
// rename: then put checks again and repeats.
func (fsys *FS) put(d *destination, tmp *partial, how Placing) error {
	for tries := 0; ; tries++ {
		done, err := fsys.putNow(d, tmp, how)
		if done || !how.Exact || tries == 100 || !d.changed() {
			return err
		}
	}
}

// changed reports whether the destination is not what it was at the last check:
// replaced, new or gone.
func (d *destination) changed() bool {
	now, err := d.parent.Lstat(d.base)
	if d.there == nil || err != nil {
		return d.there != nil || err == nil
	}
	return !os.SameFile(now, d.there)
}

// putNow is one try of put. done reports whether the object is at the destination.
func (fsys *FS) putNow(d *destination, tmp *partial, how Placing) (done bool, err error) {
	from := partialTree
	if d.single {
		local, err := filepath.Localize(fsys.m.Content.Files[0].Path)
		if err != nil {
			return false, err
		}
		from = filepath.Join(from, local)
	}
	now, err := d.parent.Lstat(d.base)
	if errors.Is(err, fs.ErrNotExist) {
		d.there = nil
		mode := localfs.New // does not replace a directory that was just made
		if d.single && !how.NoClobber || how.Exact {
			mode = localfs.Replace
		}
		err := localfs.Rename(tmp.root, from, d.parent, d.base, mode)
		return err == nil, err
	}
	if err != nil {
		return false, err
	}
	d.there = now
	if err := fsys.mayReplace(d, how); err != nil {
		return false, err
	}
	if err := fsys.keepModes(d, tmp, from, how); err != nil {
		return false, err
	}
	if d.single && !now.IsDir() {
		err := localfs.Rename(tmp.root, from, d.parent, d.base, localfs.Replace)
		return err == nil, err
	}
	aside := from
	err = localfs.Rename(tmp.root, from, d.parent, d.base, localfs.Exchange)
	if errors.Is(err, errors.ErrUnsupported) {
		aside = partialAside
		err = d.replaceInSteps(tmp, from, localfs.Rename)
	}
	if err != nil {
		return false, err
	}
	if err := removeAll(tmp.root, aside); err != nil {
		return true, fmt.Errorf("the object is loaded, but what it has replaced could not be removed; remove %s yourself: %w",
			filepath.Join(d.dir, tmp.name, aside), err)
	}
	return true, nil
}

// replaceInSteps renames what is at the destination to tmp, and then the object to
// the destination. If that fails, it renames the old one back. If that fails, too,
// the old one stays in tmp, and the error says where.
func (d *destination) replaceInSteps(tmp *partial, from string, rename func(*os.Root, string, *os.Root, string, localfs.Mode) error) error {
	if err := removeAll(tmp.root, partialAside); err != nil { // left by a load that was killed
		return err
	}
	if err := rename(d.parent, d.base, tmp.root, partialAside, localfs.Replace); err != nil {
		return err
	}
	err := rename(tmp.root, from, d.parent, d.base, localfs.New)
	if err == nil {
		return nil
	}
	if back := rename(tmp.root, partialAside, d.parent, d.base, localfs.New); back != nil {
		tmp.keep = true
		return fmt.Errorf("%w; what was at the destination could not be put back (%w): it is in %s, move it away before the next load to this destination",
			err, back, filepath.Join(d.dir, tmp.name, partialAside))
	}
	return err
}

// keepModes gives the object the permissions of what it replaces: no load opens a
// file or directory to more users.
func (fsys *FS) keepModes(d *destination, tmp *partial, from string, how Placing) error {
	now, err := tmp.root.Lstat(from)
	if err != nil {
		return err
	}
	was := d.there
	perm := was.Mode().Perm()
	switch {
	case now.IsDir() != was.IsDir():
		perm = narrow(now.Mode().Perm(), perm)
	case how.Exact && d.single: // executable or not as the object says
		perm &^= 0o111
		if fsys.m.Content.Files[0].Exec {
			perm |= perm & 0o444 >> 2
		}
	}
	if now.IsDir() && was.IsDir() {
		if err := fsys.narrowTree(d, tmp); err != nil {
			return err
		}
	}
	return localfs.KeepAs(
		localfs.Place{Root: tmp.root, Name: from}, localfs.Place{Root: d.parent, Name: d.base}, perm)
}

// narrowTree removes permissions from the files and directories of the new tree
// that those at the same paths of the old tree do not have.
func (fsys *FS) narrowTree(d *destination, tmp *partial) error {
	old, err := beneath.OpenRootIn(d.parent, d.base)
	if err != nil {
		return err
	}
	defer old.Close()
	tree, err := beneath.OpenRootIn(tmp.root, partialTree)
	if err != nil {
		return err
	}
	defer tree.Close()
	for path, e := range everyPath(fsys.m.Content.Files) {
		was, err := old.Lstat(path)
		if err != nil || path == "." || e.Link != "" || was.IsDir() != e.Dir || !was.IsDir() && !was.Mode().IsRegular() {
			continue
		}
		now, err := tree.Lstat(path)
		if err != nil {
			return err
		}
		if perm := narrow(now.Mode().Perm(), was.Mode().Perm()); perm != now.Mode().Perm() {
			if err := tree.Chmod(path, perm|now.Mode()&fs.ModeSetgid); err != nil {
				return err
			}
		}
	}
	return nil
}

// narrow returns the permissions that both now and was have. Permission to read in
// was counts as permission to execute as well: that bit says what a file is, not
// who may have it.
func narrow(now, was fs.FileMode) fs.FileMode { return now & (was | was&0o444>>2) }
