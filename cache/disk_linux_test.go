package cache_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
)

func init() {
	children["full"] = func(regDir, cacheDir string) error {
		if err := syscall.Mount("tmpfs", cacheDir, "tmpfs", 0, "size=700k"); err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		if err := loadsAnyway(regDir, cacheDir); err != nil {
			return err
		}
		c, err := cache.Open(&cache.Options{Dir: cacheDir})
		if err != nil {
			return err
		}
		if u, v := c.Usage(), c.Verify(); u.Partial.Entries != 0 || v.Dropped.Entries != 0 {
			return fmt.Errorf("left behind: %+v %+v", u, v)
		}
		return nil
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
		dir, err := r.Checkout(ctx, "object1")
		if err != nil {
			return err
		}
		if err := syscall.Mount("", cacheDir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		if again, err := r.Checkout(ctx, "object1"); err != nil || again != dir {
			return fmt.Errorf("checked out to %q, %w", again, err)
		}
		return loadsAnyway(regDir, cacheDir)
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
