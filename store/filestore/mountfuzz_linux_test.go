package filestore

import (
	"strings"
	"testing"
)

// What the kernel says about mounts is read whatever it is, and what is found
// lies above the directory asked about.
func FuzzFindMount(f *testing.F) {
	f.Add("36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/root rw\n", "/srv/x")
	f.Add("36 35 98:0 / /mnt\\040x rw - nfs4 h:/x rw,nolock,local_lock=all\n", "/mnt x/y")
	f.Add("1 2 3:4 / /a rw -\n- - -\n\n", "/a")
	f.Fuzz(func(t *testing.T, info, dir string) {
		m := findMount(strings.NewReader(info), dir)
		if m.point != "" && dir != m.point && !strings.HasPrefix(dir, strings.TrimSuffix(m.point, "/")+"/") {
			t.Errorf("%q is said to be on %q", dir, m.point)
		}
		if m.refusal() != nil && m.point == "" {
			t.Errorf("%q is refused for a mount that is not there", dir)
		}
	})
}
