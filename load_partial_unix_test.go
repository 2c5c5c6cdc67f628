//go:build unix

package registry

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/store/faultstore"
)

// planted is a place where a load goes, with something in its way.
type planted struct {
	t       *testing.T
	parent  string
	partial string // where the load would look for what an earlier one has left
	outside string // a directory with a file "big", with the object's first half
}

func (p *planted) path(name string) string { return filepath.Join(p.partial, filepath.FromSlash(name)) }

func (p *planted) must(errs ...error) {
	p.t.Helper()
	for _, err := range errs {
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// own makes what a load of this user would have left.
func (p *planted) own() {
	p.must(os.MkdirAll(p.path("tree"), 0o700), os.WriteFile(p.path("lock"), nil, 0o600))
}

func (p *planted) foreign(name string) {
	if os.Getuid() != 0 {
		p.t.Skip("another user's files can be made by root alone")
	}
	p.must(os.Lchown(p.path(name), 1, 1))
}

// isPrivate looks whether the directory in which the files grow is closed to
// others.
func (p *planted) isPrivate() {
	for _, dir := range leftovers(p.t, p.parent) {
		if _, err := os.Stat(filepath.Join(dir, "tree", "d", "e")); err != nil {
			continue // that is not the one
		}
		fi, err := os.Lstat(dir)
		if err != nil || !fi.IsDir() || fi.Mode().Perm() != 0o700 || int(fi.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
			p.t.Errorf("the files grow in %s: %v, %v", dir, fi, err)
		}
	}
}

// Whatever lies where a load would look for what an earlier one has left: the
// load ends, the result is the object and this user's, and nothing elsewhere is
// touched.
func TestPlantedPartial(t *testing.T) {
	body := noise(1, 12<<20)
	files := map[string][]byte{"big": body, "d/small": []byte("x"), "d/e/small": []byte("y")}
	r, _ := inMemory(t)
	mustSave(t, r, "m", Path(writeFiles(t, files)))
	partial := partialName(t, r, "m", "dest")
	for name, plant := range map[string]func(*planted){
		"a file": func(p *planted) { p.must(os.WriteFile(p.partial, nil, 0o600)) },
		"a pipe": func(p *planted) { p.must(unix.Mkfifo(p.partial, 0o600)) },
		"a link": func(p *planted) {
			p.own()
			p.must(os.Rename(p.partial, p.parent+"/real"), os.Symlink("real", p.partial))
		},
		"a link outside":     func(p *planted) { p.must(os.Mkdir(p.outside+"/tree", 0o700), os.Symlink(p.outside, p.partial)) },
		"a dangling link":    func(p *planted) { p.must(os.Symlink("nowhere", p.partial)) },
		"open to the group":  func(p *planted) { p.own(); p.must(os.Chmod(p.partial, 0o770)) },
		"open to all":        func(p *planted) { p.own(); p.must(os.Chmod(p.partial, 0o707)) },
		"foreign":            func(p *planted) { p.own(); p.foreign("") },
		"foreign, all of it": func(p *planted) { p.own(); p.foreign("lock"); p.foreign("tree"); p.foreign("") },
		"lock is a pipe":     func(p *planted) { p.own(); p.must(os.Remove(p.path("lock")), unix.Mkfifo(p.path("lock"), 0o600)) },
		"lock is a link": func(p *planted) {
			p.own()
			p.must(os.Remove(p.path("lock")), os.Symlink(p.outside+"/big", p.path("lock")))
		},
		"lock leads to none": func(p *planted) {
			p.own()
			p.must(os.Remove(p.path("lock")), os.Symlink(p.outside+"/new", p.path("lock")))
		},
		"lock is a directory": func(p *planted) { p.own(); p.must(os.Remove(p.path("lock")), os.Mkdir(p.path("lock"), 0o700)) },
		"lock is foreign":     func(p *planted) { p.own(); p.foreign("lock") },
		"lock has two names":  func(p *planted) { p.own(); p.must(os.Link(p.path("lock"), p.parent+"/second")) },
		"tree is a link":      func(p *planted) { p.own(); p.must(os.Remove(p.path("tree")), os.Symlink(p.outside, p.path("tree"))) },
		"tree is a pipe":      func(p *planted) { p.own(); p.must(os.Remove(p.path("tree")), unix.Mkfifo(p.path("tree"), 0o600)) },
		"tree is a file":      func(p *planted) { p.own(); p.must(os.Remove(p.path("tree")), os.WriteFile(p.path("tree"), nil, 0o600)) },
		"tree is foreign":     func(p *planted) { p.own(); p.must(os.WriteFile(p.path("tree/big"), body, 0o666)); p.foreign("tree") },
		"umask is a link":     func(p *planted) { p.own(); p.must(os.Symlink(p.outside, p.path("umask"))) },
		"an extra file":       func(p *planted) { p.own(); p.must(os.WriteFile(p.path("tree/extra"), nil, 0o600)) },
		"an extra link":       func(p *planted) { p.own(); p.must(os.Symlink(p.outside, p.path("tree/extra"))) },
		"an extra pipe":       func(p *planted) { p.own(); p.must(unix.Mkfifo(p.path("tree/extra"), 0o600)) },
		"an extra directory":  func(p *planted) { p.own(); p.must(os.MkdirAll(p.path("tree/d/more/deep"), 0o500)) },
		"a link for a file":   func(p *planted) { p.own(); p.must(os.Symlink(p.outside+"/big", p.path("tree/big"))) },
		"a second name":       func(p *planted) { p.own(); p.must(os.Link(p.outside+"/big", p.path("tree/big"))) },
		"a pipe for a file":   func(p *planted) { p.own(); p.must(unix.Mkfifo(p.path("tree/big"), 0o600)) },
		"a directory for it":  func(p *planted) { p.own(); p.must(os.MkdirAll(p.path("tree/big/x"), 0o700)) },
		"a foreign file": func(p *planted) {
			p.own()
			p.must(os.WriteFile(p.path("tree/big"), body, 0o666))
			p.foreign("tree/big")
		},
		"a longer file": func(p *planted) {
			p.own()
			p.must(os.WriteFile(p.path("tree/big"), append(body[:len(body):len(body)], 1), 0o666))
		},
		"a file for a dir": func(p *planted) { p.own(); p.must(os.WriteFile(p.path("tree/d"), nil, 0o600)) },
		"a link for a dir": func(p *planted) { p.own(); p.must(os.Symlink(p.outside, p.path("tree/d"))) },
		"a foreign dir":    func(p *planted) { p.own(); p.must(os.Mkdir(p.path("tree/d"), 0o777)); p.foreign("tree/d") },
		"another mode": func(p *planted) {
			p.own()
			p.must(os.WriteFile(p.path("tree/big"), body, 0o666), os.Chmod(p.path("tree/big"), 0o6777), os.Chmod(p.path("tree"), 0o777))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &planted{t: t, parent: t.TempDir(), outside: writeFiles(t, map[string][]byte{"big": body[:6<<20], "small": []byte("mine")})}
			p.partial = filepath.Join(p.parent, partial)
			plant(p)
			dest := filepath.Join(p.parent, "dest")
			looks := 0
			err := r.Load(t.Context(), "m", Path(dest), WithProgress(func(Progress) {
				looks++
				p.isPrivate()
			}))
			if err != nil || looks == 0 {
				t.Fatalf("%d looks, %v", looks, err)
			}
			sameTree(t, writeFiles(t, files), dest)
			for path, perm := range map[string]os.FileMode{"": 0o755, "big": 0o644, "d": 0o755, "d/small": 0o644} {
				fi, err := os.Lstat(filepath.Join(dest, path))
				if err != nil {
					t.Fatal(err)
				}
				if st := fi.Sys().(*syscall.Stat_t); int(st.Uid) != os.Getuid() || !fi.IsDir() && st.Nlink != 1 {
					t.Errorf("%q is of user %d, and has %d names", path, st.Uid, st.Nlink)
				}
				if mask := umask(); fi.Mode()&^os.ModeDir != (perm|0o022)&^mask {
					t.Errorf("%q has mode %v", path, fi.Mode())
				}
			}
			if b, err := os.ReadFile(p.outside + "/big"); err != nil || !bytes.Equal(b, body[:6<<20]) {
				t.Errorf("a file elsewhere was changed, %v", err)
			}
			wantFile(t, p.outside+"/small", "mine")
			if _, err := os.Lstat(p.outside + "/new"); err == nil {
				t.Error("a file was made elsewhere")
			}
		})
	}
}

func umask() os.FileMode {
	m := syscall.Umask(0)
	syscall.Umask(m)
	return os.FileMode(m)
}

// A load that goes on with another umask than it began with makes nothing that
// is open to more people than the umask now says.
func TestInterruptedLoadUnderAnotherUmask(t *testing.T) {
	files := map[string][]byte{"a": noise(1, 20<<20), "d/b": noise(2, 20<<20)}
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	r := openOn(t, fst, nil)
	mustSave(t, r, "m", Path(writeFiles(t, files)))
	dest := filepath.Join(t.TempDir(), "dest")
	ctx, cancel := context.WithCancel(t.Context())
	cancelAt(fst, 2, cancel)
	if err := r.Load(ctx, "m", Path(dest)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	fst.Plan(nil)
	defer syscall.Umask(syscall.Umask(0o077))
	if err := r.Load(t.Context(), "m", Path(dest)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "a", "d", "d/b"} {
		if fi, err := os.Lstat(filepath.Join(dest, path)); err != nil || fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q: %v, %v", path, fi.Mode(), err)
		}
	}
}

// During a load, no other user can enter the directory with its files.
func TestPartialIsPrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", noise(1, 8<<20))
	parent := t.TempDir()
	var looked atomic.Int32
	fst.Plan(lookAtPacks(func() {
		for _, dir := range leftovers(t, parent) {
			looked.Add(1)
			if fi, err := os.Lstat(dir); err != nil || fi.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", fi.Mode(), err)
			}
		}
	}))
	if err := r.Load(t.Context(), "m", Path(filepath.Join(parent, "dest"))); err != nil || looked.Load() == 0 {
		t.Errorf("%v, %d looks", err, looked.Load())
	}
}

// What is at the destination keeps its permissions, whether a file is replaced
// or a tree; what is new gets those that the umask leaves.
func TestModesOfTheDestination(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	r, _ := inMemory(t)
	tree := writeFiles(t, map[string][]byte{"secret": []byte("new"), "run": []byte("new"), "d/open": []byte("new")})
	if err := errors.Join(os.Chmod(tree+"/run", 0o755), os.Chmod(tree+"/secret", 0o600)); err != nil {
		t.Fatal(err)
	}
	mustSave(t, r, "tree", Path(tree))
	mustSave(t, r, "plain", oneFile(t, "f", "new"))
	mustSave(t, r, "exec", Path(tree+"/run"))
	exact := []LoadOption{WithExact()}
	for _, c := range []struct {
		ref  string
		was  os.FileMode // 0: there is nothing
		opts []LoadOption
		want os.FileMode
	}{
		{"plain", 0, nil, 0o644}, {"plain", 0o600, nil, 0o600}, {"plain", 0o640, nil, 0o640}, {"plain", 0o666, nil, 0o666},
		{"plain", 0o755, nil, 0o755}, {"plain", 0o400, nil, 0o400}, {"exec", 0, nil, 0o755}, {"exec", 0o600, nil, 0o600},
		{"exec", 0o600, exact, 0o700}, {"exec", 0o640, exact, 0o750}, {"plain", 0o700, exact, 0o600}, {"plain", 0, exact, 0o644},
		{"tree", 0o600, exact, 0o700}, {"plain", 0o700 | os.ModeDir, exact, 0o600}, {"tree", 0o700 | os.ModeDir, exact, 0o700}, {"tree", 0o777 | os.ModeDir, exact, 0o777},
	} {
		dest := filepath.Join(t.TempDir(), "dest")
		var err error
		switch {
		case c.was.IsDir():
			err = errors.Join(os.Mkdir(dest, 0o700), os.Chmod(dest, c.was.Perm()))
		case c.was != 0:
			err = errors.Join(os.WriteFile(dest, []byte("old"), 0o600), os.Chmod(dest, c.was))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Load(t.Context(), c.ref, Path(dest), c.opts...); err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if fi, err := os.Lstat(dest); err != nil || fi.Mode().Perm() != c.want {
			t.Errorf("%s over %v: %v, want %v", c.ref, c.was, fi.Mode(), c.want)
		}
	}
	dest := filepath.Join(t.TempDir(), "dest")
	if err := errors.Join(os.MkdirAll(dest+"/d", 0o700), os.WriteFile(dest+"/secret", nil, 0o600), os.WriteFile(dest+"/run", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dest, 0o755), r.Load(t.Context(), "tree", Path(dest), WithExact())); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{"": 0o755, "secret": 0o600, "run": 0o700, "d": 0o700, "d/open": 0o644} {
		if fi, err := os.Lstat(filepath.Join(dest, path)); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%q: %v, %v; want %v", path, fi.Mode(), err, want)
		}
	}
}

// A file that is replaced keeps owner and group where this user may set them,
// and a group that cannot be kept is not replaced by one that may read.
func TestOwnerOfTheDestination(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("files of others can be made by root alone")
	}
	r, _ := inMemory(t)
	mustSave(t, r, "m", oneFile(t, "f", "new"))
	dest := filepath.Join(t.TempDir(), "dest")
	if err := errors.Join(os.WriteFile(dest, nil, 0o600), os.Chown(dest, 12, 34), os.Chmod(dest, 0o640)); err != nil {
		t.Fatal(err)
	}
	if err := r.Load(t.Context(), "m", Path(dest)); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(dest)
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 12 || st.Gid != 34 || fi.Mode().Perm() != 0o640 {
		t.Errorf("%d:%d %v", st.Uid, st.Gid, fi.Mode())
	}
}

// In a directory where everybody may make links, one of another user is not
// followed.
func TestStrangersLink(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("links of others can be made by root alone")
	}
	r, _ := inMemory(t)
	mustSave(t, r, "m", oneFile(t, "f", "new"))
	mine := writeFiles(t, map[string][]byte{"precious": []byte("mine")})
	shared := t.TempDir()
	if err := errors.Join(os.Chmod(shared, 0o777|os.ModeSticky), os.Symlink(mine+"/precious", shared+"/f"), os.Lchown(shared+"/f", 1, 1)); err != nil {
		t.Fatal(err)
	}
	for _, dest := range []string{shared + "/f", shared} {
		if err := r.Load(t.Context(), "m", Path(dest)); !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v", dest, err)
		}
	}
	wantFile(t, mine+"/precious", "mine")
}

// What was in a directory that is replaced goes, and of what links in it lead to
// nothing does.
func TestExactFollowsNothing(t *testing.T) {
	r, _ := inMemory(t)
	src := writeFiles(t, map[string][]byte{"a": []byte("new"), "d/b": []byte("new")})
	mustSave(t, r, "m", Path(src))
	outside := writeFiles(t, map[string][]byte{"b": []byte("mine"), "a": []byte("mine")})
	dest := filepath.Join(t.TempDir(), "dest")
	err := errors.Join(os.Mkdir(dest, 0o777), unix.Mkfifo(dest+"/registry.json", 0o600), unix.Mkfifo(dest+"/pipe", 0o600),
		os.Symlink(outside, dest+"/d"), os.Symlink(outside+"/a", dest+"/a"), os.Symlink("loop", dest+"/loop"), os.Mkdir(dest+"/shut", 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Load(t.Context(), "m", Path(dest), WithExact()); err != nil {
		t.Fatal(err)
	}
	sameTree(t, src, dest)
	wantFile(t, outside+"/a", "mine")
	wantFile(t, outside+"/b", "mine")
	noLeftovers(t, filepath.Dir(dest))
}
