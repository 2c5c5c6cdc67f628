package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

// seedDir writes registers of versions of the object m into a directory.
func seedDir(t *testing.T, dir string, state manifest.State, versions ...string) {
	t.Helper()
	for _, v := range versions {
		m := manifest.NewManifest("m", must[Version](t)(ParseVersion(v)), newTestClock().now())
		m.Content.Materializer = "string"
		m.Content.Files = []manifest.File{{Path: "value.txt", Size: 4, SHA256: manifest.Sum([]byte("seed"))}}
		m.Placement.Inline, m.State = []byte("seed"), state
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		body := must[[]byte](t)(m.Encode())
		path := filepath.Join(dir, filepath.FromSlash(manifest.VersionKey(m.Name, m.Version)))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(format string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

// In a directory only the highest versions are listed. The latest and the next
// are what they are among all.
func TestHighestOfADirectory(t *testing.T) {
	for _, c := range []struct {
		name          string
		live, deleted []string
		latest, next  string // latest "": no version is live
	}{
		{"few", numbered("1.0.%d", 3), nil, "1.0.2", "1.0.3"},
		{"as many as are listed", numbered("1.0.%d", 16), nil, "1.0.15", "1.0.16"},
		{"many", numbered("1.0.%d", 300), nil, "1.0.299", "1.0.300"},
		{"pre-releases above", numbered("1.0.%d", 40), nil, "1.0.39", "1.0.40"},
		{"many deleted above", []string{"1.0.0"}, numbered("2.0.%d", 50), "1.0.0", "2.0.50"},
		{"all deleted", nil, numbered("1.0.%d", 50), "", "1.0.50"},
		{"pre-releases alone", numbered("1.0.0-rc.%d", 50), nil, "1.0.0-rc.49", "1.0.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			r := must[*Registry](t)(Open(t.Context(), dir, &Options{Create: true}))
			seedDir(t, dir, manifest.Live, c.live...)
			seedDir(t, dir, manifest.Deleted, c.deleted...)
			if c.name == "pre-releases above" {
				seedDir(t, dir, manifest.Live, numbered("3.0.0-rc.%d", 50)...)
			}
			info, err := r.Info(t.Context(), "m")
			if c.latest == "" && err == nil || c.latest != "" && (err != nil || info.Version.String() != c.latest) {
				t.Errorf("the latest is %+v (%v), want %s", info, err, c.latest)
			}
			if v := mustSave(t, r, "m", "next"); v.String() != c.next {
				t.Errorf("saved %s, want %s", v, c.next)
			}
		})
	}
}
