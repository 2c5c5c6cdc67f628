package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// verdict is the result of the tests of a mutant.
type verdict int

const (
	survived verdict = iota
	killed
	hung
)

// limit is the time limit for the tests of a mutant.
const limit = "2m"

// try runs tests on the code with the mistake. A mutant that does not compile
// is an error.
func (m *mutant) try(tests [][]string) (verdict, error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return survived, err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(dir)
	if err != nil {
		return survived, err
	}
	for _, args := range tests {
		out, err := goTest(append([]string{"-overlay", overlay}, args...)...)
		switch {
		case err == nil:
			continue
		case !errors.As(err, new(*exec.ExitError)):
			return survived, err
		case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
			return survived, fmt.Errorf("it does not compile:\n%s", out)
		case bytes.Contains(out, []byte("panic: test timed out after")):
			return hung, nil
		}
		return killed, nil
	}
	return survived, nil
}

// overlay writes the edited file into dir, with the file for go test -overlay,
// and returns the path of the latter.
func (m *mutant) overlay(dir string) (string, error) {
	file, text, err := m.edit()
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	edited := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(edited, []byte(text), 0o666); err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]map[string]string{"Replace": {path: edited}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, body, 0o666)
}

func goTest(args ...string) ([]byte, error) {
	cmd := exec.Command("go", append([]string{"test", "-vet=off", "-ldflags=-s -w", "-timeout", limit}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
	return cmd.CombinedOutput()
}

// baseline runs the tests of the mutants on the unchanged code, once each: a
// test that fails or is skipped there kills nothing. The tests of one package
// run together.
func baseline(mutants []*mutant, at int) error {
	names := map[string][]string{} // by package and flags
	for _, m := range mutants {
		for _, args := range m.tests {
			i := slices.Index(args, "-run")
			if i < 0 {
				return fmt.Errorf("%s: its tests have no -run", m.name())
			}
			rest := strings.Join(slices.Delete(slices.Clone(args), i, i+2), " ")
			if !slices.Contains(names[rest], args[i+1]) {
				names[rest] = append(names[rest], args[i+1])
			}
		}
	}
	var rests []string
	for rest := range names {
		rests = append(rests, rest)
	}
	slices.Sort(rests)
	errs := make([]error, len(rests))
	each(len(rests), at, func(i int) {
		args := append([]string{"-v", "-run", together(names[rests[i]])}, strings.Fields(rests[i])...)
		out, err := goTest(args...)
		if err != nil {
			errs[i] = fmt.Errorf("go test %s fails without any mistake:\n%s", strings.Join(args, " "), out)
		} else if skipped := regexp.MustCompile(`(?m)^--- SKIP: .*`).FindAll(out, -1); len(skipped) > 0 {
			errs[i] = fmt.Errorf("go test %s leaves tests out, so they kill nothing:\n%s", strings.Join(args, " "), bytes.Join(skipped, []byte("\n")))
		}
	})
	return errors.Join(errs...)
}

// together returns one pattern for -run that matches the tests of all patterns.
// A slash, for subtests, is kept only in a single pattern.
func together(patterns []string) string {
	if len(patterns) == 1 {
		return patterns[0]
	}
	all := make([]string, len(patterns))
	for i, p := range patterns {
		p, _, _ = strings.Cut(p, "/")
		all[i] = "(" + p + ")"
	}
	return strings.Join(all, "|")
}

// findTests prints which tests of its package kill each mutant, and how long
// each of them takes.
func findTests(mutants []*mutant, at int) error {
	errs := make([]error, len(mutants))
	each(len(mutants), at, func(i int) {
		m := mutants[i]
		dir, err := os.MkdirTemp("", "mutant")
		if err != nil {
			errs[i] = err
			return
		}
		defer os.RemoveAll(dir)
		overlay, err := m.overlay(dir)
		if err != nil {
			errs[i] = fmt.Errorf("%s: %w", m.name(), err)
			return
		}
		out, err := goTest(append([]string{"-overlay", overlay}, m.wide()...)...)
		failed := regexp.MustCompile(`(?m)^(--- FAIL: .*|panic: .*|\S+: .*\[build failed\]|.*\.go:\d+:\d+: .*)$`).FindAll(out, 8)
		fmt.Printf("%s (survives: %t)\n\t%s\n", m.name(), err == nil, bytes.Join(failed, []byte("\n\t")))
	})
	return errors.Join(errs...)
}
