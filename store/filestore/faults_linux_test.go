package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/store"
)

func init() {
	children["full"] = func(dir string) error { return fullChild(dir, "size=1m") }
	children["no-inodes"] = func(dir string) error { return fullChild(dir, "size=16m,nr_inodes=200") }
	children["too-large"] = tooLargeChild
	children["read-only"] = readOnlyChild
}

// run runs a child to its end. What it says is the failure; if that begins
// with "skip:", the machine does not permit the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said strings.Builder
	cmd.Stderr = &said
	err := cmd.Run()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("no such child here: %v", err) // no namespaces, or no more of them
	}
	if _, why, ok := strings.Cut(said.String(), "skip: "); ok {
		t.Skip(why)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, said.String())
	}
}

// Real full disks: file systems of this test's own, in a namespace of their
// own.
func TestFullDisk(t *testing.T) {
	for _, what := range []string{"full", "no-inodes"} {
		t.Run(what, func(t *testing.T) {
			cmd := child(t, what, t.TempDir())
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			}
			run(t, cmd)
		})
	}
}

func fullChild(dir, options string) error {
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("skip: no mounts in namespaces: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		return fmt.Errorf("skip: no mounts in namespaces: %w", err)
	}
	return fillAndFree(dir, 64<<10, syscall.ENOSPC)
}

// Where that is not permitted, and everywhere else: a limit on the size of
// files is an error of the kernel in the midst of writing, too.
func TestFileTooLarge(t *testing.T) { run(t, child(t, "too-large", t.TempDir())) }

func tooLargeChild(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return fillAndFree(dir, 64<<10+1, syscall.EFBIG)
}

// fillAndFree puts bodies of a size until the disk is full and says so with
// errno, looks at what is there then, and makes room.
func fillAndFree(dir string, size int, errno syscall.Errno) error {
	s, err := New(dir)
	if err != nil {
		return err
	}
	ctx := context.Background()
	last := func(n int) string { return fmt.Sprintf("d%d/k", n) }
	n := 0
	for ; n < 1000; n++ {
		// Different sizes, so that the disk is full at different points.
		_, err = s.Put(ctx, last(n), crashBody(n, max(size-n%3*1000, 0)), store.Absent)
		if err != nil {
			break
		}
	}
	if !errors.Is(err, errno) || errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrPrecondition) {
		return fmt.Errorf("put %d: %v, want %v", n, err, errno)
	}
	if _, err := s.Stat(ctx, last(n)); !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("the put that failed is visible (%v)", err)
	}
	if errno == syscall.EFBIG {
		if _, err := s.Put(ctx, "small", []byte("1"), store.Absent); err != nil {
			return fmt.Errorf("a smaller put: %w", err)
		}
		return intact(s, 1)
	}
	if n < 4 {
		return fmt.Errorf("full after %d puts", n)
	}
	if err := intact(s, n); err != nil {
		return err
	}

	// A replacement has no room either, and leaves what there is.
	info, err := s.Stat(ctx, last(0))
	if err != nil {
		return err
	}
	if _, err := s.Put(ctx, last(0), crashBody(0, size), info.Token); !errors.Is(err, errno) || errors.Is(err, store.ErrUnknown) {
		return fmt.Errorf("a replacement: %v, want %v", err, errno)
	}
	if now, err := s.Now(ctx); err != nil || now.IsZero() {
		return fmt.Errorf("now: %s, %v", now, err)
	}
	if err := intact(s, n); err != nil {
		return err
	}

	// Deleting works although there is no room for the lock of it, and makes
	// the next put work: soon, for the first lock files take some of the room.
	next := last(n-1) + "2"
	for i := range n - 1 {
		if err := s.Delete(ctx, last(i)); err != nil {
			return fmt.Errorf("delete %d on a full disk: %w", i, err)
		}
		if _, err := s.Stat(ctx, last(i)); !errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("%s was deleted, and Stat says %v", last(i), err)
		}
		_, err := s.Put(ctx, next, crashBody(n, 100), store.Absent)
		if err == nil {
			return intact(s, n-i)
		}
		if !errors.Is(err, errno) {
			return fmt.Errorf("the next put: %w", err)
		}
	}
	return fmt.Errorf("nothing can be put after %d deletes", n-1)
}

// intact checks that s holds n whole bodies, and nothing else but locks.
func intact(s *Store, n int) error {
	for info, err := range s.List(context.Background(), "", "") {
		if err != nil {
			return err
		}
		body, _, err := s.Get(context.Background(), info.Key, nil)
		if err != nil {
			return err
		}
		if _, err := crashNumber(body); err != nil && !bytes.Equal(body, []byte("1")) {
			return fmt.Errorf("%s is partial: %w", info.Key, err)
		}
		n--
	}
	if n != 0 {
		return fmt.Errorf("%d keys too few are shown", n)
	}
	return filepath.WalkDir(s.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(e.Name(), tempPrefix) {
			err = fmt.Errorf("%s is left behind", path)
		}
		return err
	})
}

// Permissions do not count for root, so the child runs as another user.
func TestReadOnlyDirectory(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "store")
	s := made(t, dir)
	info := put(t, s, "a/k", "1", store.Absent)
	put(t, s, "a/k", "2", info.Token) // makes a lock file
	cmd := child(t, "read-only", dir)
	if os.Getuid() == 0 {
		self := filepath.Join(base, "test") // go's own is where nobody else looks
		copyFile(t, cmd.Path, self)
		cmd.Path = self
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = base
		for d := base; strings.HasPrefix(d, os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	} else {
		chmodDirs(t, dir, 0o555)
		defer chmodDirs(t, dir, 0o755)
	}
	run(t, cmd)
	if left := leftovers(t, s); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func readOnlyChild(dir string) error {
	s, err := New(dir)
	if err != nil {
		return err
	}
	ctx := context.Background()
	body, info, err := s.Get(ctx, "a/k", nil)
	if err != nil || string(body) != "2" {
		return fmt.Errorf("get: %q, %v", body, err)
	}
	if _, err := s.Stat(ctx, "a/k"); err != nil {
		return err
	}
	if now, err := s.Now(ctx); err != nil || now.IsZero() {
		return fmt.Errorf("now: %s, %v", now, err)
	}
	shown := 0
	for _, err := range s.List(ctx, "", "") {
		if err != nil {
			return err
		}
		shown++
	}
	if shown != 1 {
		return fmt.Errorf("List shows %d keys, want 1", shown)
	}
	_, create := s.Put(ctx, "a/new", []byte("3"), store.Absent)
	_, below := s.Put(ctx, "b/c/new", []byte("3"), store.Absent)
	_, replace := s.Put(ctx, "a/k", []byte("3"), info.Token)
	for what, err := range map[string]error{
		"create": create, "create in a new directory": below, "replace": replace, "delete": s.Delete(ctx, "a/k"),
	} {
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrPrecondition) {
			return fmt.Errorf("%s: %v, want ErrPermission", what, err)
		}
	}
	// Calls with nothing to do return what they always return.
	if _, err := s.Put(ctx, "a/k", []byte("3"), store.Absent); !errors.Is(err, store.ErrPrecondition) {
		return fmt.Errorf("create of an existing key: %v, want ErrPrecondition", err)
	}
	return s.Delete(ctx, "a/absent")
}

func chmodDirs(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, mode)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
