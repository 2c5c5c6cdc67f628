// Notices prints the licences of everything that is linked into the command,
// on all systems that releases are built for, as these licences ask for:
//
//	go run ./internal/notices > THIRD_PARTY.txt
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	w := bufio.NewWriter(os.Stdout)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

// module is a module that is linked.
type module struct {
	name string          // path and version
	dirs map[string]bool // of its packages that are linked, and those above them
}

func write(w io.Writer) error {
	modules, err := linked("./cmd/mindreg")
	if err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return err
	}
	goroot, version, _ := strings.Cut(strings.TrimSpace(string(root)), "\n")
	all := append(modules, module{"Go and its standard library, " + version, map[string]bool{goroot: true}})
	fmt.Fprintln(w, "mindreg contains software of others, under the licences below.")
	for _, m := range all {
		text, err := licences(m)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%s\n%s\n\n%s", strings.Repeat("=", 80), m.name, text)
	}
	return nil
}

// linked returns the modules that a program links on any system, sorted.
func linked(program string) ([]module, error) {
	found := map[string]module{}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}", program)
		list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos)
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			fields := strings.Split(strings.TrimSpace(line), "\t")
			if len(fields) != 3 {
				continue // of this module, or of the standard library
			}
			name, root, dir := fields[0], fields[1], fields[2]
			if found[name].dirs == nil {
				found[name] = module{name, map[string]bool{root: true}}
			}
			for ; dir != root && len(dir) > len(root); dir = filepath.Dir(dir) {
				found[name].dirs[dir] = true
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b module) int { return strings.Compare(a.name, b.name) }), nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// licences returns the texts of a module's licences, each once. A module that
// has none may not be given to others, which is an error.
func licences(m module) ([]byte, error) {
	var all bytes.Buffer
	seen := map[string]bool{}
	for _, dir := range slices.Sorted(maps.Keys(m.dirs)) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			text = append(bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))), '\n')
			if seen[string(text)] {
				continue
			}
			if seen[string(text)] = true; all.Len() > 0 {
				all.WriteString("\n")
			}
			all.Write(text)
		}
	}
	if all.Len() == 0 {
		return nil, fmt.Errorf("%s has no licence in %q", m.name, slices.Sorted(maps.Keys(m.dirs)))
	}
	return all.Bytes(), nil
}
