package registry

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
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// defaultMemory is Options.MemoryLimit where nothing is said, and as much is
// there.
const defaultMemory = 256 << 20

// newMemory returns the memory of a registry.
func newMemory(limit int64) (*chunk.Budget, error) {
	if limit == 0 {
		limit = min(defaultMemory, machineMemory()/4, debug.SetMemoryLimit(-1)/2) // the last is for this process alone
		limit = max(chunk.MinMemory, limit)
	}
	return chunk.NewBudget(limit)
}

// machineMemory is systemMemory of this machine, which does not change.
var machineMemory = sync.OnceValue(func() int64 { return systemMemory(os.DirFS("/")) })

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

// paced has the large transfers of a store in a bucket keep the pace that it
// serves best. A directory has one that is known.
func (r *Registry) paced(st store.Store) store.Store {
	most := r.memory.Parallel()
	r.pace.gets, r.pace.puts = wrapstore.NewPace(most), wrapstore.NewPace(most)
	return wrapstore.Paced(st, r.pace.gets, r.pace.puts)
}

func (r *Registry) parallelPuts() func() int { return limitOf(r.pace.puts) }
func (r *Registry) parallelGets() func() int { return limitOf(r.pace.gets) }

func limitOf(p *wrapstore.Pace) func() int {
	if p == nil {
		return nil
	}
	return p.Limit
}

// reader reads the files of a version.
func (r *Registry) reader(f *found) *chunk.Reader {
	return chunk.NewReader(r.st, f.Manifest, &chunk.ReaderOptions{Budget: r.memory, Parallel: r.parallelGets()})
}
