package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/cachestore"
)

func init() {
	// A disk that is full before the budget is: what is new takes the place of
	// what is old, without a word.
	children["full"] = func(regDir, cacheDir string) error {
		if err := syscall.Mount("tmpfs", cacheDir, "tmpfs", 0, "size=1300k"); err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		if err := loads(regDir, cacheDir, 0); err != nil {
			return err
		}
		var log bytes.Buffer
		c, err := cache.Open(&cache.Options{Dir: cacheDir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			return err
		}
		check := func(packs, trees int) error {
			u, err := c.Usage()
			if err != nil {
				return err
			}
			if u.Packs.Entries != packs || u.Trees.Entries != trees || u.Partial.Entries != 0 {
				return fmt.Errorf("there are %+v", u)
			}
			if v, err := c.Verify(); err != nil || v.Dropped.Entries != 0 {
				return fmt.Errorf("left behind: %+v %w", v, err)
			}
			return nil
		}
		if err := check(2, 0); err != nil {
			return err
		}
		r, err := far(regDir, c, nil)
		if err != nil {
			return err
		}
		for i := range 2 {
			name := fmt.Sprintf("object%d", i)
			rep, err := r.Checkout(ctx, name, nil)
			if err != nil {
				return err
			}
			dir := rep.Dir
			if b, err := os.ReadFile(filepath.Join(dir, "data")); err != nil || !bytes.Equal(b, body(i)) {
				return fmt.Errorf("checked out %d bytes, %w", len(b), err)
			}
		}
		cachestore.Of(c).Release()
		if err := check(0, 2); err != nil {
			return err
		}
		// Both were checked out within the hour: there is no room for a third.
		if _, err := r.Checkout(ctx, "object2", nil); !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("a third checkout: %v", err)
		}
		if err := loads(regDir, cacheDir, 0); err != nil {
			return err
		}
		if log.Len() > 0 {
			return fmt.Errorf("it was said that %s", log.String())
		}
		return check(0, 2)
	}
	// What is there is used, also where nothing can be added.
	children["read-only"] = func(regDir, cacheDir string) error {
		if err := syscall.Mount("tmpfs", cacheDir, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		c, err := cache.Open(&cache.Options{Dir: cacheDir})
		if err != nil {
			return err
		}
		r, err := far(regDir, c, nil)
		if err != nil {
			return err
		}
		if _, err := registry.Load[[]byte](ctx, r, "object0"); err != nil {
			return err
		}
		rep, err := r.Checkout(ctx, "object1", nil)
		if err != nil {
			return err
		}
		dir := rep.Dir
		if err := syscall.Mount("", cacheDir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		if again, err := r.Checkout(ctx, "object1", nil); err != nil || again.Dir != dir {
			return fmt.Errorf("checked out again: %+v, %w", again, err)
		}
		return loads(regDir, cacheDir, 1)
	}
}

// Real disks that are full or read-only: file systems of this test's own.
func TestDiskOfItsOwn(t *testing.T) {
	for _, what := range []string{"full", "read-only"} {
		t.Run(what, func(t *testing.T) {
			cmd := child(what, filled(t), t.TempDir())
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			}
			run(t, cmd)
		})
	}
}

// run runs a child to its end, unless the machine does not permit it.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || strings.HasPrefix(string(out), "skip: ") {
		t.Skipf("%v %s", err, out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
