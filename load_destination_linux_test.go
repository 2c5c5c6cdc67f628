package registry

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

// mount mounts something until the end of the test.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Skipf("mounting needs root: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
}

// A load says that it cannot replace its destination before it fetches anything, and
// how to write into it.
func TestWhatCannotBeReplaced(t *testing.T) {
	trace := tracestore.New(newStore(t))
	r := openOn(t, trace, nil)
	mustSave(t, r, "m", Path(filepath.Join(writeFiles(t, map[string][]byte{"f": noise(1, 1<<20)}), "f")))
	mustSave(t, r, "tree", Path(writeFiles(t, map[string][]byte{"f": noise(1, 1<<20)})))
	try := func(ref, dest, says string, class error, opts ...LoadOption) {
		t.Helper()
		trace.Reset()
		err := r.Load(t.Context(), ref, Path(dest), opts...)
		if err == nil || class != nil && !errors.Is(err, class) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", dest, err)
		}
		if n := packBytes(trace); n > 0 {
			t.Errorf("%s: %d bytes were fetched", dest, n)
		}
		noLeftovers(t, filepath.Dir(dest))
	}
	t.Run("a mounted file", func(t *testing.T) {
		dir := writeFiles(t, map[string][]byte{"it's": []byte("old"), "link.d/x": nil})
		dest := filepath.Join(dir, "it's")
		symlink(t, "../it's", filepath.Join(dir, "link.d", "link"))
		mount(t, dest, dest, "", unix.MS_BIND, "")
		for _, opts := range [][]LoadOption{nil, {WithExact()}} {
			try("m", dest, `load m - > '`+dir+`/it'\''s'`, syscall.EBUSY, opts...)
			try("m", dir+"/link.d/link", "mount point", syscall.EBUSY, opts...)
		}
		wantFile(t, dest, "old")
	})
	t.Run("a mounted directory", func(t *testing.T) {
		dest := filepath.Join(t.TempDir(), "mnt")
		if err := os.Mkdir(dest, 0o777); err != nil {
			t.Fatal(err)
		}
		mount(t, "tmpfs", dest, "tmpfs", 0, "")
		try("tree", dest, "mount point", syscall.EBUSY, WithExact())
		try("m", dest, "mount point", syscall.EBUSY, WithExact())
		if err := r.Load(t.Context(), "m", Path(dest)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a mount point in a directory", func(t *testing.T) {
		dest := filepath.Join(t.TempDir(), "a b")
		if err := os.MkdirAll(dest+"/deep/mnt", 0o777); err != nil {
			t.Fatal(err)
		}
		mount(t, "tmpfs", dest+"/deep/mnt", "tmpfs", 0, "")
		if err := os.WriteFile(dest+"/deep/mnt/f", []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		try("tree", dest, "contains the mount point", nil, WithExact())
		wantFile(t, dest+"/deep/mnt/f", "old")
	})
	t.Run("a mounted file in a read-only directory", func(t *testing.T) {
		dir, file := t.TempDir(), filepath.Join(writeFiles(t, map[string][]byte{"f": []byte("old")}), "f")
		mount(t, "tmpfs", dir, "tmpfs", 0, "")
		dest := filepath.Join(dir, "dest")
		if err := errors.Join(os.WriteFile(dest, nil, 0o666), os.WriteFile(dir+"/other", nil, 0o666)); err != nil {
			t.Fatal(err)
		}
		mount(t, file, dest, "", unix.MS_BIND, "")
		mount(t, "", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
		try("m", dest, "load m - > "+dest, syscall.EBUSY)
		try("m", dir+"/other", "load m - > "+dir+"/other", syscall.EROFS)
		try("m", dir+"/new", "read-only", syscall.EROFS)
	})
	t.Run("an immutable file", func(t *testing.T) {
		dest := filepath.Join(writeFiles(t, map[string][]byte{"f": []byte("old")}), "f")
		if out, err := exec.Command("chattr", "+i", dest).CombinedOutput(); err != nil {
			t.Skipf("%v %s", err, out)
		}
		defer exec.Command("chattr", "-i", dest).Run()
		try("m", dest, "immutable", fs.ErrPermission)
	})
}

// If the disk has no room for a directory, the error is ErrNoSpace, too.
func TestDiskWithoutInodes(t *testing.T) {
	r, _ := inMemory(t)
	mustSave(t, r, "m", []byte("x"))
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "nr_inodes=2")
	must[*os.File](t)(os.Create(filepath.Join(dir, "last"))).Close()
	wantErr(t, r.Load(t.Context(), "m", Path(filepath.Join(dir, "dest"))), ErrNoSpace)
}

// If the disk has too little room for an object, the load says so before it fetches
// anything. Data that an earlier load has left counts, and stays.
func TestSmallDisk(t *testing.T) {
	mem := newStore(t)
	fst := faultstore.New(mem, nil)
	trace := tracestore.New(fst)
	r := openOn(t, trace, nil)
	mustSave(t, r, "m", Path(writeFiles(t, map[string][]byte{"a": noise(1, 40<<20)})))
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=60m")
	fill := filepath.Join(dir, "fill")
	if err := os.WriteFile(fill, make([]byte, 25<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(dir, "a", "dest")
	trace.Reset()
	err := r.Load(t.Context(), "m", Path(dest))
	wantErr(t, err, ErrNoSpace)
	if err == nil || !strings.Contains(err.Error(), "41943040 bytes") || !strings.Contains(err.Error(), "(35 MiB)") && !strings.Contains(err.Error(), "(34 MiB)") {
		t.Errorf("%v does not have the figures", err)
	}
	if n := packBytes(trace); n > 0 {
		t.Errorf("%d bytes were fetched", n)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left %v", entries)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelAt(fst, 1, cancel)
	wantErr(t, r.Load(ctx, "m", Path(dest)), context.Canceled)
	fst.Plan(nil)
	if left := leftovers(t, filepath.Dir(dest)); len(left) != 1 {
		t.Fatalf("left %v", left)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	took := 60<<20 - int(st.Bfree)*int(st.Bsize)
	if took < 4<<20 {
		t.Fatalf("the load has left %d bytes only", took)
	}
	for _, free := range []int{39<<20 - took, 41<<20 - took} { // with what is there, too little, and enough
		if err := os.WriteFile(fill, make([]byte, 60<<20-took-free), 0o666); err != nil {
			t.Fatal(err)
		}
		err := r.Load(t.Context(), "m", Path(dest))
		if enough := free > 40<<20-took; enough != (err == nil) || !enough && !errors.Is(err, ErrNoSpace) {
			t.Fatalf("with %d free beside %d: %v", free, took, err)
		}
		if left := leftovers(t, filepath.Dir(dest)); err != nil && len(left) != 1 {
			t.Errorf("left %v", left)
		}
	}
}

// A disk that gets full on the way, or has no more files to give, is ErrNoSpace in
// every verb that writes to it, and the error says where.
func TestFilesRunOut(t *testing.T) {
	r, mem := inMemory(t)
	files := map[string][]byte{}
	for i := range 100 {
		files[fmt.Sprint("f", i)] = nil
	}
	mustSave(t, r, "many", Path(writeFiles(t, files)))
	for _, inodes := range []int{1, 2, 3, 4, 50} {
		dir := t.TempDir()
		mount(t, "tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=60m,nr_inodes=", inodes))
		dest := filepath.Join(dir, "dest")
		err := r.Load(t.Context(), "many", Path(dest))
		wantErr(t, err, ErrNoSpace)
		if err == nil || !strings.Contains(err.Error(), dest) {
			t.Errorf("%d: %v does not name the destination", inodes, err)
		}
		noLeftovers(t, dir)
		_, err = openOn(t, mem, &Options{Cache: newCache(t, filepath.Join(dir, "cache"), 1<<30)}).Checkout(t.Context(), "many", nil)
		wantErr(t, err, ErrNoSpace)
	}
}

// fuse mounts an empty directory as bindfs shows it, until the end of the test.
func fuse(t *testing.T, options ...string) (dir string) {
	t.Helper()
	real, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("bindfs", append(options, real, dir)...).CombinedOutput(); err != nil {
		t.Skipf("needs bindfs: %v %s", err, out)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// A file system may say that another user owns all files, as some network mounts do.
func TestFileSystemOfOneOwner(t *testing.T) {
	r, _ := inMemory(t)
	src := treeOnDisk(t)
	mustSave(t, r, "tree", Path(src))
	mustSave(t, r, "file", oneFile(t, "f", "new"))
	dir := fuse(t, "--force-user=1", "--chown-ignore", "--chgrp-ignore")
	for range 2 {
		for _, ref := range []string{"tree", "file"} {
			if err := r.Load(t.Context(), ref, Path(filepath.Join(dir, ref)), WithExact()); err != nil {
				t.Fatal(err)
			}
		}
	}
	sameTree(t, src, filepath.Join(dir, "tree"))
	wantFile(t, filepath.Join(dir, "file"), "new")
	noLeftovers(t, dir)
}

// Where two directories cannot change places in one step, the old one is put
// aside; what a load that was killed then has left does not stop the next.
func TestExactWithoutExchange(t *testing.T) {
	dir := fuse(t)
	r, _ := inMemory(t)
	src := treeOnDisk(t)
	mustSave(t, r, "tree", Path(src))
	mustSave(t, r, "file", oneFile(t, "f", "new"))
	dest := filepath.Join(dir, "dest")
	for i, ref := range []string{"tree", "tree", "file", "file", "tree", "tree"} {
		if i == 5 { // as after a kill between two steps
			killed := filepath.Join(dir, partialName(t, r, ref, "dest"))
			if err := errors.Join(os.MkdirAll(killed+"/was/d", 0o700), os.MkdirAll(killed+"/tree/extra", 0o700), os.WriteFile(killed+"/was/d/x", nil, 0o400)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Load(t.Context(), ref, Path(dest), WithExact()); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if ref == "file" {
			wantFile(t, dest, "new")
		} else {
			sameTree(t, src, dest)
		}
		noLeftovers(t, dir)
	}
	if err := r.Load(t.Context(), "file", Path(filepath.Join(dir, "other")), WithNoClobber()); err != nil {
		t.Error(err)
	}
}

// A file that replaces another one keeps its access control list, whatever the
// directory says about new files.
func TestAccessListOfTheDestination(t *testing.T) {
	list := func(entries ...[3]uint32) []byte { // tag, permissions, user
		b := []byte{2, 0, 0, 0}
		for _, e := range entries {
			b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
			b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
			b = binary.LittleEndian.AppendUint32(b, e[2])
		}
		return b
	}
	const owner, user, group, mask, other, none = 0x01, 0x02, 0x04, 0x10, 0x20, 1<<32 - 1
	of := func(id uint32) []byte {
		return list([3]uint32{owner, 6, none}, [3]uint32{user, 4, id}, [3]uint32{group, 0, none}, [3]uint32{mask, 4, none}, [3]uint32{other, 0, none})
	}
	r, _ := inMemory(t)
	mustSave(t, r, "m", oneFile(t, "f", "new"))
	dir := writeFiles(t, map[string][]byte{"listed": []byte("old"), "plain": []byte("old")})
	err := errors.Join(unix.Setxattr(dir+"/listed", "system.posix_acl_access", of(7), 0), os.Chmod(dir+"/plain", 0o640),
		unix.Setxattr(dir, "system.posix_acl_default", of(8), 0))
	if err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]string{"listed": string(of(7)), "plain": "", "new": string(of(8))} {
		if err := r.Load(t.Context(), "m", Path(filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1000)
		n, _ := unix.Getxattr(dir+"/"+name, "system.posix_acl_access", got)
		if string(got[:max(n, 0)]) != want {
			t.Errorf("%s has the list %x, want %x", name, got[:max(n, 0)], want)
		}
		if fi, err := os.Stat(dir + "/" + name); err != nil || fi.Mode() != 0o640 {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
}
