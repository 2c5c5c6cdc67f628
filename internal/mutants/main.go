// Mutants makes one mistake after another in the code, each a single edit, and
// runs the tests that should notice. A mistake that no test notices is a gap:
//
//	go run ./internal/mutants               # all of list.txt
//	go run ./internal/mutants -only mark.go  # those whose head matches
//
// The tree is not touched: the compiler is given the edited file in place of
// the one that is there (go test -overlay).
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

//go:embed list.txt
var list string

func main() {
	only := flag.String("only", "", "only mutants whose first line matches this regular expression")
	flag.Parse()
	mutants, err := parse(list)
	if err == nil {
		err = run(mutants, *only)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "mutants: %v\n", err)
		os.Exit(1)
	}
}

// mutant is one mistake.
type mutant struct {
	file, harm string
	from, to   string   // what stands in the file, once, and what is put in its place
	test       []string // arguments of go test
	survives   string   // why no test can notice it, or needs to
}

// parse reads a list of mutants, separated by empty lines:
//
//	FILE: what harm it does
//	< a line as it stands
//	> the line in its place, none to leave it out
//	test: arguments of go test
//	survives: why, if it is known that no test notices it
//
// Lines that begin with # are comments.
func parse(list string) ([]mutant, error) {
	var all []mutant
	for _, block := range regexp.MustCompile(`\n\s*\n`).Split(list, -1) {
		var m mutant
		var from, to []string
		for line := range strings.Lines(block) {
			line = strings.TrimRight(line, "\n")
			head, rest, _ := strings.Cut(line, ":")
			switch {
			case line == "" || line[0] == '#':
			case line[0] == '<':
				from = append(from, strings.TrimPrefix(line[1:], " "))
			case line[0] == '>':
				to = append(to, strings.TrimPrefix(line[1:], " "))
			case head == "test":
				m.test = strings.Fields(rest)
			case head == "survives":
				m.survives = strings.TrimSpace(rest)
			case m.file == "":
				m.file, m.harm = head, strings.TrimSpace(rest)
			default:
				return nil, fmt.Errorf("list: what is %q?", line)
			}
		}
		if m.file == "" {
			continue
		}
		m.from, m.to = strings.Join(from, "\n"), strings.Join(to, "\n")
		if m.from == "" || m.from == m.to || m.test == nil {
			return nil, fmt.Errorf("list: %s (%s): it needs lines that begin with < and >, and tests", m.file, m.harm)
		}
		all = append(all, m)
	}
	return all, nil
}

func run(mutants []mutant, only string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tried, killed := 0, 0
	var gaps []string
	for _, m := range mutants {
		head := m.file + ": " + m.harm
		if !match.MatchString(head) {
			continue
		}
		start := time.Now()
		noticed, err := m.noticed(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", head, err)
		}
		tried++
		verdict := "killed"
		switch {
		case noticed:
			killed++
		case m.survives != "":
			verdict = "survives, as is known: " + m.survives
		default:
			verdict = "SURVIVES"
			gaps = append(gaps, head)
		}
		fmt.Printf("%6.1fs  %-60s  %s\n", time.Since(start).Seconds(), head, verdict)
	}
	fmt.Printf("%d of %d killed (%.0f %%)\n", killed, tried, 100*float64(killed)/float64(max(tried, 1)))
	if len(gaps) > 0 {
		return fmt.Errorf("no test notices:\n\t%s", strings.Join(gaps, "\n\t"))
	}
	return nil
}

// noticed reports whether the mutant's tests fail with it. What does not
// compile is no mutant, but an error.
func (m *mutant) noticed(dir string) (bool, error) {
	path, err := filepath.Abs(m.file)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	if n := bytes.Count(text, []byte(m.from)); n != 1 {
		return false, fmt.Errorf("%q stands there %d times", m.from, n)
	}
	edited := filepath.Join(dir, "edited.go")
	if err := os.WriteFile(edited, bytes.Replace(text, []byte(m.from), []byte(m.to), 1), 0o666); err != nil {
		return false, err
	}
	overlay := filepath.Join(dir, "overlay.json")
	body, err := json.Marshal(map[string]map[string]string{"Replace": {path: edited}})
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(overlay, body, 0o666); err != nil {
		return false, err
	}
	args := append([]string{"test", "-count=1", "-timeout=5m", "-overlay", overlay}, m.test...)
	out, err := exec.Command("go", args...).CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		return false, err
	}
	if bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")) {
		return false, fmt.Errorf("it does not compile:\n%s", out)
	}
	return err != nil, nil
}
