package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// DefaultURL returns the location that Open uses for "": $MINDREG_URL, or if that is
// not set a directory for the user's data. That is $XDG_DATA_HOME/mindreg or
// ~/.local/share/mindreg, on macOS ~/Library/Application Support/mindreg, and on
// Windows %LocalAppData%\mindreg. It fails if there is no home directory.
func DefaultURL() (string, error) {
	if url := os.Getenv("MINDREG_URL"); url != "" {
		return url, nil
	}
	dir, err := defaultDir()
	return dir, wrap(context.Background(), OpDefaultURL, "", err)
}

// defaultDir returns the directory for the user's data.
func defaultDir() (string, error) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		dir, err := os.UserConfigDir()
		if local := os.Getenv("LocalAppData"); runtime.GOOS == "windows" && local != "" {
			dir, err = local, nil
		}
		return filepath.Join(dir, "mindreg"), err
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mindreg"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no registry location given, and no home directory to put one in: %w", err)
	}
	return filepath.Join(home, ".local", "share", "mindreg"), nil
}
