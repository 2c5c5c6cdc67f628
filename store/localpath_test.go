package store

import "testing"

// A file URL of a Windows drive has a slash before the drive that is no part
// of the path. Elsewhere it is the root.
func TestLocalPath(t *testing.T) {
	for _, c := range []struct{ path, goos, want string }{
		{"/C:/models", "windows", "C:/models"},
		{"/c:", "windows", "c:"},
		{"/C:/models", "linux", "/C:/models"},
		{"/C:/models", "darwin", "/C:/models"},
		{"/srv/models", "windows", "/srv/models"},
		{"C:/models", "windows", "C:/models"},
		{"models", "windows", "models"},
		{"ab:/x", "windows", "ab:/x"},
		{"/C", "windows", "/C"},
		{"/", "windows", "/"},
		{"", "windows", ""},
	} {
		if got := localPath(c.path, c.goos); got != c.want {
			t.Errorf("%s on %s is %q, want %q", c.path, c.goos, got, c.want)
		}
	}
}
