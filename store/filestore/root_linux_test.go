package filestore

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storecheck"
	"github.com/mindtrace/registry/store/storetest"
)

// The disk is unmounted, bare or with another one in its place, or something is
// mounted over the registry.
func TestRootUnmounted(t *testing.T) {
	base := t.TempDir()
	mount := func(dir string) error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m") }
	if err := mount(base); err != nil {
		t.Skip("no mounts here: ", err)
	}
	t.Cleanup(func() { unix.Unmount(base, unix.MNT_DETACH) })
	var dir string // of the registry
	var disk string
	opened := func(below string) func() (store.Store, error) {
		return func() (store.Store, error) {
			var err error
			if disk, err = os.MkdirTemp(base, "disk"); err != nil {
				return nil, err
			}
			if err := mount(disk); err != nil {
				return nil, err
			}
			t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
			dir = filepath.Join(disk, below)
			s, err := New(dir)
			if err != nil {
				return nil, err
			}
			return s, s.MakeRoot(t.Context())
		}
	}
	way := func(name string, lose func() error, back func() error) storecheck.Way {
		return storecheck.Way{Name: name, Lose: func() (func() (string, error), func() error, error) {
			return func() (string, error) { return seen(disk) }, back, lose()
		}}
	}
	detach := func() error { return unix.Unmount(disk, unix.MNT_DETACH) }
	for _, below := range []string{"", "registry"} {
		ways := []storecheck.Way{
			way("unmounted", detach, nil),
			way("remounted", func() error {
				if err := detach(); err != nil {
					return err
				}
				return mount(disk)
			}, nil),
			way("mounted over", func() error { return mount(dir) }, func() error { return unix.Unmount(dir, 0) }),
		}
		storetest.Root(t, storecheck.Place{Open: opened(below), Ways: ways})
	}
}
