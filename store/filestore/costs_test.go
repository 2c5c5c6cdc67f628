package filestore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/store/tracestore"
)

// costs is what one operation takes, in counts: they are the same on every
// machine, where times are not.
type costs struct {
	requests   int
	files      int   // made, each of them flushed
	dirFlushes int   // of directories
	written    int64 // bytes, into the registry
	read       int64 // bytes, from the registry
	allocated  int64 // bytes; the race detector lets pools forget at random
}

// What operations on a directory cost at most. A limit that is lowered is a
// gain that stays; one that is raised is a loss that needs a reason.
func TestCosts(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	dir := t.TempDir()
	st, err := filestore.New(filepath.Join(dir, "registry"))
	if err != nil {
		t.Fatal(err)
	}
	trace := tracestore.New(st)
	r, err := registry.OpenStore(t.Context(), trace, "file:", &registry.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	take := filestore.Counter(st)

	large := filepath.Join(dir, "large")
	body := noiseBytes(1, 64*mib)
	write(t, large, body)
	changed := filepath.Join(dir, "changed")
	write(t, changed, append(append(bytes.Clone(body[:mib]), make([]byte, 100)...), body[mib:]...))
	tree := filepath.Join(dir, "tree")
	for i := range 1000 {
		write(t, filepath.Join(tree, fmt.Sprint(i%10), fmt.Sprint(i)), noiseBytes(100+i, 4*kib))
	}

	save := func(name string, value any) func() error {
		return func() error { _, err := r.Save(t.Context(), name, value); return err }
	}
	load := func(ref string, target any) func() error {
		return func() error { return r.Load(t.Context(), ref, target) }
	}
	var small []byte
	for _, step := range []struct {
		what string
		do   func() error
		most costs
	}{
		{"save 1 KiB", save("small", noiseBytes(2, kib)), costs{2, 1, 4, 2 * kib, 0, 512 * kib}},
		{"save a second version", save("small", noiseBytes(3, kib)), costs{2, 1, 1, 2 * kib, 0, 512 * kib}},
		{"save a third version", save("small", noiseBytes(4, kib)), costs{2, 1, 1, 2 * kib, 0, 512 * kib}},
		{"load it", load("small", &small), costs{2, 0, 0, 0, 2 * kib, 512 * kib}},
		{"save 64 MiB", save("large", registry.Path(large)), costs{11, 6, 24, 64*mib + 8*kib, 0, 120 * mib}},
		{"save them again", save("large", registry.Path(large)), costs{8, 1, 1, 8 * kib, 8 * kib, 100 * mib}},
		{"save them with 100 bytes more", save("large", registry.Path(changed)), costs{10, 2, 3, 2 * mib, 8 * kib, 100 * mib}},
		{"load them", load("large", registry.Path(filepath.Join(dir, "out"))), costs{8, 0, 0, 0, 64*mib + 8*kib, 100 * mib}},
		{"save 1000 files of 4 KiB", save("tree", registry.Path(tree)), costs{4, 2, 5, 5 * mib, 0, 50 * mib}},
		{"load them", load("tree", registry.Path(filepath.Join(dir, "outtree"))), costs{3, 0, 0, 0, 5 * mib, 25 * mib}},
	} {
		trace.Reset()
		take()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		n := take()
		got := costs{len(trace.Calls()), n.Files, n.DirFlushes, n.Bytes, 0, int64(after.TotalAlloc - before.TotalAlloc)}
		for _, c := range trace.Calls() {
			if c.Op == "get" {
				got.read += c.Bytes
			}
		}
		if n.Flushes != n.Files {
			t.Errorf("%s: %d flushes of %d files", step.what, n.Flushes, n.Files)
		}
		if most := step.most; got.requests > most.requests || got.files > most.files || got.dirFlushes > most.dirFlushes ||
			got.written > most.written || got.read > most.read || got.allocated > most.allocated {
			t.Errorf("%s takes %+v, and may take %+v", step.what, got, most)
		}
		t.Logf("%s: %+v", step.what, got)
	}
}

func noiseBytes(seed, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func write(t *testing.T, path string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o666); err != nil {
		t.Fatal(err)
	}
}
