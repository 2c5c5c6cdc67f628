package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/mindtrace/registry/internal/servers"
	_ "github.com/mindtrace/registry/store/memstore"
)

// steps use every command. "A" and "B" are two registries, "{dir}" a directory
// with files in it. A step that begins with "!" fails.
var steps = []string{
	"init A",
	"init B",
	"-r A save my:model {dir}/one.txt --meta source=line-3 --class blob",
	"-r A save my:model {dir}/tree",
	"-r A save my:model {dir}/big.bin --version 2.0.0 --tag prod -o json",
	"-r A save my:model {dir}/big2.bin --if-latest 2.0.0",
	"! -r A save my:model {dir}/one.txt --if-latest 2.0.0",
	"! -r A save my:model {dir}/one.txt --version 2.0.0",
	"! -r A save not_a_name {dir}/one.txt",
	"-r A save other {dir}/one.txt",
	"-r A ls",
	"-r A ls -o json",
	"-r A versions my:model",
	"-r A versions my:model -o json",
	"-r A info my:model@1.0.0 -o json",
	"-r A info my:model@prod --files",
	"-r A resolve my:model@prod",
	"-r A resolve my:model@^1 --digest",
	"-r A resolve my:model@^1 -o json",
	"! -r A resolve my:model@9",
	"-r A load my:model@1.0.0 -",
	"-r A load my:model@1.0.1 {dir}/out-A",
	"-r A load my:model@^2 {dir}/big-out",
	"-r A load --exact my:model@1.0.1 {dir}/out-A -o json",
	"! -r A load --no-clobber my:model@^2 {dir}/big-out",
	"! -r A load --max-size 1MB my:model@^2 {dir}/too-big",
	"! -r A load my:model@9 -",
	"! -r A load nothing -",
	"-r A tag set my:model@1.0.1 staging",
	"-r A tag set my:model@1.0.0 staging --if 1.0.1",
	"! -r A tag set my:model@1.0.0 staging --if 1.0.1",
	"-r A tag ls my:model",
	"-r A tag history my:model staging -o json",
	"-r A tag rm my:model staging",
	"! -r A rm my:model@2.0.0",
	"-r A rm my:model@1.0.0 --dry-run",
	"-r A rm my:model@1.0.0",
	"! -r A load my:model@1.0.0 -",
	"-r A versions my:model --deleted",
	"-r A undelete my:model@1.0.0",
	"-r A load my:model@1.0.0 -",
	"-r A verify",
	"-r A prune --keep-last 2 --keep-tagged --dry-run",
	"-r A prune my:model --keep-last 3 --keep-tagged -o json",
	"-r A gc --dry-run -o json",
	"-r A gc",
	"-r A cp my:model@^2 --to B",
	"-r A cp --all --to B -o json",
	"-r B verify -o json",
	"-r B load my:model@prod {dir}/big-out-B",
	"! -r A purge other@1.0.0",
	"-r A purge other@1.0.0 --dry-run",
	"-r A purge other@1.0.0 --yes -o json",
	"! -r A undelete other@1.0.0",
	"-r A checkout my:model@prod",
	"-r A checkout my:model@1.0.1 -o json",
	"-r A checkout my:model@1.0.1 --offline",
	"-r A load my:model@2.0.0 {dir}/big-again",
	"-r A load my:model@2.0.0 {dir}/big-uncached --no-cache",
	"! -r A checkout my:model@9",
	"! -r A checkout my:model --no-cache",
	"clean {dir} -o json",
	"cache dir",
	"cache verify -o json",
	"cache prune -o json",
	"cache ls -o json",
	"-r A lock run my:model -- true",
	"-r A lock ls -o json",
	"! -r A lock break my:model",
	"-r A doctor --rounds 2 --keys 30 -o json",
	"version",
	"docs {dir}/docs",
	"completion bash",
}

// One table runs every command on every backend: what they print, to the
// byte, is the same.
func TestEveryCommandOnEveryBackend(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers")
	}
	transcripts := map[string][]string{}
	for _, b := range servers.Backends {
		t.Run(b.Name, func(t *testing.T) {
			transcripts[b.Name] = transcript(t, b.URL(t, "a"), b.URL(t, "b"))
		})
	}
	want := transcripts["file"]
	for name, got := range transcripts {
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("on %s:\n%s\nbut on file:\n%s", name, strings.Join(got[i:min(i+1, len(got))], ""), want[i])
			}
		}
	}
}

// Every command is in the table.
func TestNoCommandIsLeftOut(t *testing.T) {
	a := &app{}
	var check func(c *cobra.Command, path string)
	check = func(c *cobra.Command, path string) {
		for _, s := range c.Commands() {
			check(s, strings.TrimSpace(path+" "+s.Name()))
		}
		if c.HasSubCommands() || strings.HasPrefix(path, "completion") || path == "help" || c.IsAdditionalHelpTopicCommand() {
			return
		}
		if !slices.ContainsFunc(steps, func(s string) bool {
			s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "! "), "-r A "), "-r B ")
			return s == path || strings.HasPrefix(s, path+" ")
		}) {
			t.Errorf("no step uses mindreg %s", path)
		}
	}
	check(a.command(), "")
}

// transcript runs the steps and returns what each printed, with what has to
// differ from run to run left out.
func transcript(t *testing.T, a, b string) []string {
	dir, cached := t.TempDir(), t.TempDir()
	t.Setenv("MINDREG_CACHE_DIR", cached)
	for name, body := range map[string]string{
		"one.txt": "one\n", "tree/a/x": "in a tree\n", "tree/b": strings.Repeat("b", 200<<10),
		"big.bin": strings.Repeat("0123456789abcdef", 200<<10), "big2.bin": strings.Repeat("0123456789abcdef", 200<<10) + "more",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	for _, step := range steps {
		line, fails := strings.CutPrefix(step, "! ")
		var args []string
		for _, arg := range strings.Fields(line) {
			switch arg {
			case "A":
				arg = a
			case "B":
				arg = b
			}
			args = append(args, strings.ReplaceAll(arg, "{dir}", dir))
		}
		var stdout, stderr bytes.Buffer
		code := run(args, strings.NewReader(""), &stdout, &stderr)
		if (code != 0) != fails {
			t.Errorf("mindreg %s: exit code %d\n%s%s", step, code, stdout.String(), stderr.String())
		}
		clean := func(s string) string {
			for from, to := range map[string]string{a: "{A}", b: "{B}", dir: "{dir}", cached: "{cache}"} {
				s = strings.ReplaceAll(s, from, to)
			}
			s = strings.ReplaceAll(s, "offline: the answer is from the cache and may be old\n", "") // not of a directory
			return varying.ReplaceAllString(s, "~")
		}
		out := clean(stdout.String())
		if strings.Contains(step, "doctor") {
			out = regexp.MustCompile(`(?s)"facts": \[.*?\n  \]`).ReplaceAllString(out, `"facts": []`)
		}
		if strings.HasPrefix(step, "cache ") { // which depends on how far away the registry is
			out = amounts.ReplaceAllString(out, "~")
		}
		all = append(all, fmt.Sprintf("$ mindreg %s\n[%d]\n%s%s", step, code, out, firstLine(clean(stderr.String()))))
	}
	for _, c := range [][2]string{{"tree", "out-A"}, {"big2.bin", "big-out"}, {"big.bin", "big-out-B"},
		{"big.bin", "big-again"}, {"big.bin", "big-uncached"}} {
		sameOnDisk(t, filepath.Join(dir, c[0]), filepath.Join(dir, c[1]))
	}
	return all
}

// varying is what two runs never have in common: times, durations, random
// numbers, and how a place is called.
var varying = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:[0-9.]+(Z|[+-]\d\d:\d\d))?|\b[0-9a-f]{32}\b|"seconds": [0-9.e-]+|; \d[0-9.]*[mµn]?s\b|"path": "[^"]*"`)

var amounts = regexp.MustCompile(`("entries"|"bytes"): \d+`)

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line + "\n"
}

func sameOnDisk(t *testing.T, want, got string) {
	t.Helper()
	if err := filepath.WalkDir(want, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(want, path)
		if err != nil {
			return err
		}
		w, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		g, err := os.ReadFile(filepath.Join(got, rel))
		if err == nil && !bytes.Equal(w, g) {
			err = fmt.Errorf("%s has other bytes than %s", filepath.Join(got, rel), path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
