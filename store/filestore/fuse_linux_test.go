package filestore

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/store"
)

// onFUSE mounts a directory on another through a driver on the high level of
// libfuse.
func onFUSE(t *testing.T, options ...string) string {
	t.Helper()
	real, dir := t.TempDir(), t.TempDir()
	cmd := exec.Command("bindfs", append(options, real, dir)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("no bindfs here: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("fusermount", "-u", "-z", dir).Run() })
	return filepath.Join(dir, "store")
}

// A mount on which a key is absent for a moment while it is replaced takes no
// replacements. With -o hard_remove it does, and then no key is ever absent.
func TestFUSE(t *testing.T) {
	s := made(t, onFUSE(t))
	info := put(t, s, "k", "1", store.Absent)
	for range 2 {
		_, err := s.Put(t.Context(), "k", []byte("2"), info.Token)
		if err == nil || errors.Is(err, store.ErrPrecondition) || !strings.Contains(err.Error(), "hard_remove") {
			t.Errorf("a replacement where it shows a gap: %v", err)
		}
	}
	if body, _ := get(t, s, "k"); body != "1" {
		t.Errorf("the state is %q", body)
	}
	if left := leftovers(t, s); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	s = made(t, onFUSE(t, "-o", "hard_remove"))
	info = put(t, s, "k", "1", store.Absent)
	replaced := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 300 && err == nil; i++ {
			info, err = s.Put(t.Context(), "k", []byte("2"), info.Token)
		}
		replaced <- err
	}()
	other := open(t, s.root)
	for reads := 0; ; reads++ {
		select {
		case err := <-replaced:
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d reads", reads)
			return
		default:
		}
		if _, _, err := other.Get(t.Context(), "k", nil); err != nil && !errors.Is(err, store.ErrRetry) { // replaced each time
			t.Errorf("Get of a key that is replaced: %v", err)
		}
		if _, err := other.Stat(t.Context(), "k"); err != nil && !errors.Is(err, store.ErrRetry) {
			t.Errorf("Stat of a key that is replaced: %v", err)
		}
		if got := keys(t, other, ""); len(got) != 1 {
			t.Errorf("List shows %q", got)
		}
	}
}

// The driver of a FUSE mount is gone: the store cannot be reached. It is
// neither empty nor is a key absent.
func TestDeadFUSE(t *testing.T) {
	real, dir := t.TempDir(), t.TempDir()
	cmd := exec.Command("bindfs", "-f", real, dir)
	if err := cmd.Start(); err != nil {
		t.Skip("no bindfs here: ", err)
	}
	t.Cleanup(func() { exec.Command("fusermount", "-u", "-z", dir).Run() })
	var before, now unix.Stat_t
	if err := unix.Stat(filepath.Dir(dir), &before); err != nil {
		t.Fatal(err)
	}
	for try := 0; now.Dev == 0 || now.Dev == before.Dev; try++ {
		if err := unix.Stat(dir, &now); err != nil || try == 2000 {
			t.Skip("it does not mount: ", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	s := open(t, dir)
	put(t, s, "a/k", "1", store.Absent)
	cmd.Process.Kill()
	cmd.Wait()
	_, _, err := s.Get(t.Context(), "a/k", nil)
	_, perr := s.Put(t.Context(), "a/new", nil, store.Absent)
	for call, err := range map[string]error{"Get": err, "Put": perr, "List": listError(t, s, ""), "Delete": s.Delete(t.Context(), "a/k")} {
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotExist) {
			t.Errorf("%s: %v, want ErrUnavailable", call, err)
		}
	}
}

// A mount that is read-only is no permission, and everything that only looks
// works.
func TestReadOnlyMount(t *testing.T) {
	real, dir := t.TempDir(), t.TempDir()
	info := put(t, open(t, real), "a/k", "1", store.Absent)
	if err := unix.Mount(real, dir, "", unix.MS_BIND, ""); err != nil {
		t.Skip("no mounts here: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if body, _ := get(t, s, "a/k"); body != "1" {
		t.Errorf("the state is %q", body)
	}
	if now, err := s.Now(t.Context()); err != nil || now.IsZero() {
		t.Errorf("Now: %v, %v", now, err)
	}
	if got := keys(t, s, ""); len(got) != 1 {
		t.Errorf("List shows %q", got)
	}
	for call, err := range everyCall(t, s, "b/k", info.Token) {
		want := fs.ErrPermission
		switch call {
		case "Get", "Stat":
			want = store.ErrNotExist
		case "replacement":
			want = store.ErrPrecondition
		case "Delete":
			want = nil
		}
		if !errors.Is(err, want) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s: %v, want %v", call, err, want)
		}
	}
}

// What a failure is called in package store.
func TestTranslate(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOENT: store.ErrNotExist, syscall.ENOTDIR: store.ErrNotExist, syscall.EACCES: fs.ErrPermission, syscall.EPERM: fs.ErrPermission,
		syscall.EROFS: fs.ErrPermission, syscall.ESTALE: store.ErrUnavailable, syscall.ENOTCONN: store.ErrUnavailable,
		syscall.EHOSTDOWN: store.ErrUnavailable, syscall.ETIMEDOUT: store.ErrUnavailable,
		syscall.ENOSPC: syscall.ENOSPC, syscall.EDQUOT: syscall.EDQUOT, syscall.EIO: syscall.EIO,
	} {
		err := translate(&os.PathError{Op: "open", Path: "k", Err: errno})
		if !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v is called %v, want %v", errno, err, want)
		}
		if (want != store.ErrNotExist && errors.Is(err, store.ErrNotExist)) || (want != store.ErrUnavailable && errors.Is(err, store.ErrUnavailable)) {
			t.Errorf("%v is called %v", errno, err)
		}
	}
}
