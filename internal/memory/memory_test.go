package memory

import (
	"testing"
	"testing/fstest"
)

func TestSystemMemory(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no such files": {nil, noMemoryLimit},
		"the machine":   {map[string]string{"proc/meminfo": "MemTotal:        1024 kB\nMemFree: 5 kB\n"}, 1 << 20},
		"version 2": {map[string]string{
			"proc/meminfo": "MemTotal: 4096 kB\n", "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "3000000\n",
		}, 3000000},
		"version 2, no limit": {map[string]string{
			"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n",
		}, noMemoryLimit},
		"version 2, a group around it": {map[string]string{
			"proc/self/cgroup":             "0::/a/b/c\n",
			"sys/fs/cgroup/a/memory.max":   "2000000\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/c/memory.max": "3000000\n",
		}, 2000000},
		"version 2, in a container": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "2000000\n",
		}, 2000000},
		"version 1": {map[string]string{
			"proc/self/cgroup": "9:name=systemd:/x\n4:memory:/a/b\n0::/\n", "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "5000000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 5000000},
		"version 1, in a container that sees its host's path": {map[string]string{
			"proc/self/cgroup": "4:memory:/docker/0123\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "5000000\n",
		}, 5000000},
		"no sense": {map[string]string{
			"proc/meminfo": "MemTotal: many kB\n", "proc/self/cgroup": "x\n::\n0::/../..\n", "sys/fs/cgroup/memory.max": "-1\n",
		}, noMemoryLimit},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for path, text := range c.files {
				root[path] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := systemMemory(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}
