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

// defaultMemory is Options.MemoryLimit where nothing is said, and as much is
// there.
const defaultMemory = 256 << 20

// New returns the memory of a registry.
func New(limit int64) (*chunk.Budget, error) {
	if limit == 0 {
		limit = min(defaultMemory, Machine()/4, debug.SetMemoryLimit(-1)/2) // the last is for this process alone
		limit = max(chunk.MinMemory, limit)
	}
	return chunk.NewBudget(limit)
}

// Machine is systemMemory of this machine, which does not change.
var Machine = sync.OnceValue(func() int64 { return systemMemory(os.DirFS("/")) })

// noMemoryLimit is more than any machine has.
const noMemoryLimit = 1 << 62

// systemMemory returns how many bytes the machine has, or the control groups
// of the process allow it, if that is less. Only Linux tells it in files; where
// there are none, nothing is known to be short.
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
		// Each group is bound by those around it. In a container, the path may
		// be one that only the host has: then its files are at the top.
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
