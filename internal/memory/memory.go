// Package memory says how much memory the machine has for this process, and makes
// the memory budget of a registry from it. It is called when a registry is
// opened, and by package tree before a file is loaded into memory. Package chunk
// has the budget itself.
package memory

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/mindtrace/registry/internal/chunk"
)

// defaultMemory is the largest budget, in bytes, that is chosen by default.
const defaultMemory = 256 << 20

// New returns the memory budget of a registry: limit bytes, or with 0 a default
// that depends on the machine. It returns an error if limit is too low to work
// with.
func New(limit int64) (*chunk.Budget, error) {
	if limit == 0 {
		limit = min(defaultMemory, Machine()/4, debug.SetMemoryLimit(-1)/2) // the Go runtime's limit is for this process alone
		limit = max(chunk.MinMemory, limit)
	}
	return chunk.NewBudget(limit)
}

// Machine returns how many bytes of memory the machine has, or the control groups
// of the process allow it. Where that is unknown, it is more than any machine
// has. It is found out once.
var Machine = sync.OnceValue(func() int64 { return systemMemory(os.DirFS("/")) })

// noMemoryLimit is more than any machine has.
const noMemoryLimit = 1 << 62

// systemMemory returns how many bytes the machine has, or the control groups of
// the process allow it, if that is less. root is the root directory. Only Linux
// has files for this; without them the result is noMemoryLimit.
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
func systemMemory(root fs.FS) int64 {
	least := int64(noMemoryLimit)
	info, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range bytes.Lines(info) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "MemTotal:" {
			if kib, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil && kib > 0 {
				least = kib << 10
			}
		}
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(f) < 3 {
			continue
		}
		dir, name := "sys/fs/cgroup", "memory.max"
		switch {
		case f[1] == "memory":
			dir, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case f[1] != "":
			continue
		}
		// A group is also bound by the groups around it. In a container, the path
		// may exist on the host only; then the group's files are at the top.
		for at := path.Join("/", f[2]); ; at = path.Dir(at) {
			b, err := fs.ReadFile(root, path.Join(dir, at, name))
			if n, perr := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && perr == nil && n > 0 {
				least = min(least, n)
			}
			if at == "/" {
				break
			}
		}
	}
	return least
}
