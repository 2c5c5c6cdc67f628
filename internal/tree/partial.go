package tree

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/localfs"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// partial is the directory beside the destination in which the files of a load
// grow. Its name is made of the object's digest, the destination and the user, so
// the next load finds what an interrupted one has left. Nothing records how far
// that has come: the next load reads the files, and keeps what has its digest.
//
// Anybody can compute the name and make a directory of it. So a directory that
// exists is used only if it is this user's and closed to others; see takePartial.
// It is held open: a directory that comes in its place is never written to.
type partial struct {
	parent *os.Root // the directory above it
	name   string   // its name in parent
	root   *os.Root
	lock   *flock.Flock // nil: the file system has no locks
	old    bool         // it may hold files of an earlier load
	again  bool         // the next load to the same destination finds it
	keep   bool         // it holds the only copy of what was at the destination
}

// PartialPrefix begins the names of the directories in which loads grow. A save
// leaves them out.
const PartialPrefix = ".mindreg-"

// The names in the directory of a partial load.
const (
	partialTree  = "tree"  // the object's files
	partialAside = "was"   // what was at the destination, while the two are exchanged
	partialLock  = "lock"  // locked by the load that uses the directory
	partialProbe = "umask" // made to see the permissions of new files
)

// hash8 returns eight hexadecimal digits for parts. Names of partials are short,
// so that a destination may have the longest name that the file system allows.
func hash8(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// partialsOf returns the beginning of the names of a destination's partials.
func partialsOf(base string) string { return PartialPrefix + hash8(base) }

// resumableName returns the name that the next load by this user looks for.
func resumableName(base string, digest manifest.Digest) string {
	return partialsOf(base) + hash8(digest.Hex(), strconv.Itoa(os.Geteuid()))
}

// openPartial makes a directory, or takes over the one of an earlier load. If
// another load uses that one, or it cannot be trusted, openPartial makes one with
// a random name.
func openPartial(parent *os.Root, base string, digest manifest.Digest) (*partial, error) {
	if p, err := takePartial(parent, resumableName(base, digest), false); err == nil {
		p.again = true
		return p, nil
	}
	var err error
	for range 8 { // a cleaner may have removed the new one as a leftover
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

// takePartial makes the directory name, or opens it, and locks it. With fresh
// set, it must not exist. Otherwise it may, if it is a directory and no link,
// belongs to this user, and is closed to all others: then nobody else can have
// put anything into it.
func takePartial(parent *os.Root, name string, fresh bool) (_ *partial, err error) {
	err = parent.Mkdir(name, 0o700)
	made := err == nil
	if !made && (fresh || !errors.Is(err, fs.ErrExist)) {
		return nil, err
	}
	p, locked := &partial{parent: parent, name: name}, false
	defer func() {
		if err != nil {
			if made && locked { // the lock file of another load stays
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

// open opens the directory, and checks the owner and permissions of what it has
// opened.
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
	// Some file systems give all files one owner, who is not this user. Then a new
	// file has that owner, too.
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

// takeLock locks the directory. If the file system has no locks, a directory that
// was made just now is used without: no other load can lock it, so none takes it
// over. Of that one, the owner of the lock file is not checked: this load has just
// made the file.
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
	// The load that had the lock before may have removed the file as it ended,
	// and the path may lead to another directory by now.
	theirs, err1 := p.root.Lstat(partialLock)
	ours, err2 := lock.Stat()
	if err1 != nil || err2 != nil || !made && !ownFile(theirs) || !os.SameFile(theirs, ours) {
		return errInUse
	}
	return nil
}

// ownFile reports whether fi is a regular file of this user with one name.
func ownFile(fi fs.FileInfo) bool { return fi.Mode().IsRegular() && localfs.Mine(fi) }

func (p *partial) unlock() {
	if p.lock != nil {
		p.lock.Unlock()
	}
}

// close ends the use of the directory, after a load that has failed with err or,
// if that is nil, succeeded. The directory stays if running the load again can go
// on from it; otherwise close removes it.
func (p *partial) close(ctx context.Context, err error) {
	if p.keep || p.again && (interrupted(ctx, err) || p.old && errors.As(err, new(*roomError))) {
		p.unlock()
		p.root.Close()
		return
	}
	p.remove()
}

// remove removes the directory and all in it.
func (p *partial) remove() error {
	err := errors.Join(removeAll(p.root, partialTree), removeAll(p.root, partialAside), removeAll(p.root, partialProbe))
	// A load that gets the lock after this line sees that the file is gone. From
	// then on, another load may have made the directory its own: only an empty one
	// is removed.
	rerr := p.root.Remove(partialLock)
	p.unlock()
	if rerr != nil { // Windows removes no open file
		p.root.Remove(partialLock)
	}
	p.root.Close()
	if rerr := p.parent.Remove(p.name); err == nil && rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = rerr
	}
	return err
}

// interrupted reports whether err is of a kind that may be gone if the operation
// runs again: a cancellation, or a store that does not answer.
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
