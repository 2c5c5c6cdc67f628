package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine is what the figures depend on.
type machine struct {
	started       time.Time
	facts         []string
	before, after string // load averages
}

func (e *env) machine() *machine {
	m := &machine{started: e.start, before: loadAverage()}
	add := func(what, value string) {
		if value != "" {
			m.facts = append(m.facts, what+": "+value)
		}
	}
	add("CPU", fmt.Sprintf("%s, %d logical", cmpOr(field("/proc/cpuinfo", "model name"), runtime.GOARCH), runtime.NumCPU()))
	add("memory", field("/proc/meminfo", "MemTotal"))
	add("system", said("uname", "-srm"))
	if e.dir != "" {
		add("file system of the data", said("sh", "-c", `df -T "$1" | awk 'NR == 2 {print $2 " on " $1}'`, "sh", e.dir))
	}
	add("Go", runtime.Version())
	add("mindreg", said("git", "-C", e.root, "describe", "--always", "--dirty"))
	return m
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// field is the first value of a name in a file of lines "name: value".
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// said returns the output of a command, or "" if it fails.
func said(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// loadAverage is how many processes wanted to run in the last minute.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return strings.Trim(said("sysctl", "-n", "vm.loadavg"), "{ }")
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
