package localfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The access control list comes from the file that was held, and goes to the one
// that is held, whatever has their paths by now.
func TestKeepAsHoldsItsDirectories(t *testing.T) {
	list := func(user byte) []byte { // owner, a user, group, mask, others
		return []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, user, 0, 0, 0,
			4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255}
	}
	old, now := open(t, map[string]string{"f": "old"}), open(t, map[string]string{"tree/f": "now"})
	oldPath, nowPath := filepath.Join(old.Name(), "f"), filepath.Join(now.Name(), "tree", "f")
	if err := unix.Setxattr(oldPath, acl, list(7), 0); err != nil {
		t.Skip(err)
	}
	for path, root := range map[string]*os.Root{oldPath: old, nowPath: now} {
		if err := errors.Join(os.Rename(root.Name(), root.Name()+".moved"), os.MkdirAll(filepath.Dir(path), 0o777),
			os.WriteFile(path, []byte("other"), 0o600), unix.Setxattr(path, acl, list(9), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := KeepAs(Place{now, "tree/f"}, Place{old, "f"}, 0o640); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]byte{now.Name() + ".moved/tree/f": list(7), nowPath: list(9)} {
		got := make([]byte, 100)
		if n, err := unix.Getxattr(path, acl, got); err != nil || string(got[:n]) != string(want) {
			t.Errorf("%s has the list %x, %v; want %x", path, got[:max(n, 0)], err, want)
		}
	}
}
