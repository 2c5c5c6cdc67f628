package tree

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// partial is a directory beside the destination of a load in which its files
// grow. One that was left by a load that was interrupted is found again by its
// name, made of the object's digest, the destination and the user, and what is
// in it need not be fetched again. Nothing is noted down of how far it has come:
// the files are read, and what has its digest is there.
//
// Everybody can tell that name, and make a directory of it. So one that is there
// is used only if it is this user's and closed to others; see takePartial. It is
// held open: what is done in it, is done in no other that has come in its place.
type partial struct {
	parent *os.Root // where it is
	name   string
	root   *os.Root
	lock   *flock.Flock // nil: the file system has no locks
	old    bool         // there may be files
	again  bool         // the next load to the same place would find it
	keep   bool         // what was at the destination is in it, and nowhere else
}

const (
	PartialPrefix = ".mindreg-"
	partialTree   = "tree" // the object's files
	partialAside  = "was"  // what was at the destination, while it is exchanged
	partialLock   = "lock"
	partialProbe  = "umask" // of the permissions that new files get
)

// hash8 makes eight digits of parts. Names as long as the file system allows
// can be loaded: those of partials are short.
func hash8(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// partialsOf begins the names of the partials of one destination.
func partialsOf(base string) string { return PartialPrefix + hash8(base) }

// resumableName is the name that the next load of this user finds again.
func resumableName(base string, digest manifest.Digest) string {
	return partialsOf(base) + hash8(digest.Hex(), strconv.Itoa(os.Geteuid()))
}

// openPartial makes a directory, or takes over the one of an earlier load.
// While one load has it, or it is not to be trusted, others to the same place
// make their own, with names that nobody can tell before.
func openPartial(parent *os.Root, base string, digest manifest.Digest) (*partial, error) {
	if p, err := takePartial(parent, resumableName(base, digest), false); err == nil {
		p.again = true
		return p, nil
	}
	var err error
	for range 8 { // who cleans up may have taken a new one for an old
		var p *partial
		if p, err = takePartial(parent, partialsOf(base)+hash8(rand.Text()), true); err == nil {
			return p, nil
		}
	}
	return nil, err
}

var (
	errForeign = errors.New("it is not this user's alone")
	errInUse   = errors.New("a load is using it")
)

// takePartial returns a directory, locked. With fresh unset it may be there
// already: if it is a directory itself, this user's, and closed to everybody
// else, then so is what is in it.
func takePartial(parent *os.Root, name string, fresh bool) (_ *partial, err error) {
	err = parent.Mkdir(name, 0o700)
	made := err == nil
	if !made && (fresh || !errors.Is(err, fs.ErrExist)) {
		return nil, err
	}
	p, locked := &partial{parent: parent, name: name}, false
	defer func() {
		if err != nil {
			if made && locked { // the disk may be full; the lock of another stays
				p.root.Remove(partialLock)
			}
			p.unlock()
			if p.root != nil {
				p.root.Close()
			}
			if made {
				parent.Remove(name)
			}
		}
	}()
	if err := p.open(made); err != nil {
		return nil, err
	}
	if err := p.takeLock(made); err != nil {
		return nil, err
	}
	locked = true
	if fi, err := p.root.Lstat(partialTree); err == nil {
		if fi.IsDir() && localfs.Mine(fi) {
			p.old = true
			return p, nil
		}
		if err := p.root.RemoveAll(partialTree); err != nil {
			return nil, err
		}
	}
	return p, p.root.Mkdir(partialTree, 0o777)
}

// open opens the directory, and looks whether what was opened can be trusted.
func (p *partial) open(made bool) error {
	if fi, err := p.parent.Lstat(p.name); err != nil {
		return err
	} else if !fi.IsDir() {
		return errForeign
	}
	var err error
	if p.root, err = beneath.OpenRootIn(p.parent, p.name); err != nil {
		return err
	}
	fi, err := p.root.Stat(".")
	if err != nil || localfs.Private(fi) {
		return err
	}
	if !made {
		return errForeign
	}
	// Some file systems give all files one owner. Then a new file has it, too.
	f, err := p.root.OpenFile(partialLock, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if mine, err := f.Stat(); err != nil || !localfs.SameOwner(mine, fi) {
		return errForeign
	}
	return nil
}

// takeLock takes the lock of the directory. One that was made just now can do
// without, where the file system has none: nobody who finds it will get one
// either. And its lock is its own, whatever owner the file system says.
func (p *partial) takeLock(made bool) error {
	if fi, err := p.root.Lstat(partialLock); err == nil && !made && !ownFile(fi) {
		return errForeign
	}
	lock := flock.New(filepath.Join(p.parent.Name(), p.name, partialLock),
		flock.SetFlag(os.O_CREATE|os.O_RDONLY|beneath.NoFollow), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	switch {
	case err != nil:
		lock.Close()
		if made {
			return nil
		}
		return err
	case !got:
		return errInUse
	}
	p.lock = lock
	// Who had it before may have ended in between, and removed it; and the path
	// may lead elsewhere by now.
	theirs, err1 := p.root.Lstat(partialLock)
	ours, err2 := lock.Stat()
	if err1 != nil || err2 != nil || !made && !ownFile(theirs) || !os.SameFile(theirs, ours) {
		return errInUse
	}
	return nil
}

// ownFile reports whether a file is this user's, and just that.
func ownFile(fi fs.FileInfo) bool { return fi.Mode().IsRegular() && localfs.Mine(fi) }

func (p *partial) unlock() {
	if p.lock != nil {
		p.lock.Unlock()
	}
}

// tidy removes from what an earlier load has left all that this one would not
// write: what the object does not have, links, files that have other names, too.
// What stays gets the permissions that a new file has. It returns how many bytes
// that takes on the disk.
func (p *partial) tidy(files []manifest.File) (there int64, err error) {
	if !p.old {
		return 0, nil
	}
	mask, err := p.umask()
	if err != nil {
		return 0, err
	}
	want := everyPath(files)
	tree, err := beneath.OpenRootIn(p.root, partialTree)
	if err != nil {
		return 0, err
	}
	defer tree.Close()
	err = fs.WalkDir(tree.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		e := want[path]
		switch {
		case e != nil && e.Dir && fi.IsDir() && localfs.Mine(fi):
		case e != nil && e.Regular() && ownFile(fi) && fi.Size() <= e.Size && len(e.Chunks) > 0:
			there += min(localfs.Allocated(fi), e.Size)
		default:
			if err := removeAll(tree, path); err != nil {
				return err
			}
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if perm := e.Mode().Perm() & mask; fi.Mode().Perm() != perm {
			return tree.Chmod(path, perm|fi.Mode()&fs.ModeSetgid)
		}
		return nil
	})
	return there, err
}

// everyPath returns what there is at each path of a tree, all directories included.
func everyPath(files []manifest.File) map[string]*manifest.File {
	dir := &manifest.File{Dir: true}
	want := map[string]*manifest.File{".": dir}
	for i := range files {
		local, err := filepath.Localize(files[i].Path)
		if err != nil {
			continue // writing it will fail, and say so
		}
		want[filepath.ToSlash(local)] = &files[i]
		for up := filepath.Dir(local); want[filepath.ToSlash(up)] == nil; up = filepath.Dir(up) {
			want[filepath.ToSlash(up)] = dir
		}
	}
	return want
}

// umask returns the permissions that a new file may have here.
func (p *partial) umask() (fs.FileMode, error) {
	if err := p.root.RemoveAll(partialProbe); err != nil {
		return 0, err
	}
	if err := p.root.Mkdir(partialProbe, 0o777); err != nil {
		return 0, err
	}
	fi, err := p.root.Lstat(partialProbe)
	if err != nil {
		return 0, err
	}
	return fi.Mode().Perm(), p.root.Remove(partialProbe)
}

// removeAll removes name and all below it, also out of directories that were
// made read-only. It follows no link.
func removeAll(root *os.Root, name string) error {
	if err := root.RemoveAll(name); err == nil {
		return nil
	}
	fs.WalkDir(root.FS(), filepath.ToSlash(name), func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			root.Chmod(path, 0o700) // before it is read
		}
		return nil
	})
	return root.RemoveAll(name)
}

// close ends the use of the directory. It stays if the load was interrupted
// and may be run again.
func (p *partial) close(ctx context.Context, err error) {
	if p.keep || p.again && (interrupted(ctx, err) || p.old && errors.As(err, new(*roomError))) {
		p.unlock()
		p.root.Close()
		return
	}
	p.remove()
}

// remove removes the directory.
func (p *partial) remove() error {
	err := errors.Join(removeAll(p.root, partialTree), removeAll(p.root, partialAside), removeAll(p.root, partialProbe))
	// Whoever takes the lock after it was removed finds that out. From then
	// on others may have made theirs: only what is empty goes.
	rerr := p.root.Remove(partialLock)
	p.unlock()
	if rerr != nil { // on Windows, while it was open
		p.root.Remove(partialLock)
	}
	p.root.Close()
	if rerr := p.parent.Remove(p.name); err == nil && rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = rerr
	}
	return err
}

// interrupted reports whether an operation that failed so may succeed if it is
// run again.
func interrupted(ctx context.Context, err error) bool {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return true
	}
	for _, e := range []error{context.Canceled, context.DeadlineExceeded, store.ErrUnavailable, store.ErrRetry, store.ErrUnknown} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// roomError: the disk has less room than the files to be written take.
type roomError struct {
	need, free int64 // bytes
	dir        string
}

func (e *roomError) Error() string {
	return fmt.Sprintf("%v: %d bytes (%d MiB) are to be written, and in %s there is room for %d (%d MiB); "+
		"make room, or name a destination on another disk", fault.ErrNoSpace, e.need, (e.need+1<<20-1)>>20, e.dir, e.free, e.free>>20)
}

func (e *roomError) Is(target error) bool { return target == fault.ErrNoSpace }

// enoughRoom looks whether need bytes can be written to dir, before they are
// fetched. Where the file system does not say, writing will tell.
func enoughRoom(dir string, need int64) error {
	if free, known := localfs.Free(dir); known && need > free {
		return &roomError{need, free, dir}
	}
	return nil
}
