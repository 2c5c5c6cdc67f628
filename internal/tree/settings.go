package tree

import (
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/manifest"
)

// SettingsIn returns the settings of the registry in a directory, or nil if there
// is no registry, or its settings cannot be read.
func SettingsIn(dir fs.FS) *manifest.Settings {
	fi, err := fs.Stat(dir, manifest.SettingsKey)
	if err != nil || !fi.Mode().IsRegular() {
		return nil
	}
	f, err := dir.Open(manifest.SettingsKey)
	if err != nil {
		return nil
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, manifest.MaxTable))
	if err != nil {
		return nil
	}
	is, err := manifest.DecodeSettings(body)
	if err != nil {
		return nil
	}
	return is
}

// isRegistry reports whether a directory holds a registry.
func isRegistry(dir string) bool {
	d, err := beneath.OpenDir(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	if SettingsIn(d) != nil {
		return true
	}
	// The settings may be damaged, or written by a later version of this program.
	there := func(name string) bool { _, err := os.Lstat(filepath.Join(dir, name)); return err == nil }
	return there(manifest.SettingsKey) && (there(path.Clean(manifest.PacksPrefix)) || there(path.Clean(manifest.ObjectsPrefix)))
}
