package manifest_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

// A register that claims to be huge is no larger than it is: what decoding
// takes depends on the bytes read, not on the numbers in them.
func TestHugeClaimsTakeLittleMemory(t *testing.T) {
	const huge = int64(1 << 62)
	packs := func(r register) register { return r.at("placement")["packs"].([]any)[0].(map[string]any) }
	split := func(r register) register { return r.at("placement")["split"].([]any)[0].(map[string]any) }
	for why, claim := range map[string]func(register){
		"size":           func(r register) { r["size"] = huge },
		"count":          func(r register) { r["count"] = huge },
		"size of a file": func(r register) { r.file(6)["size"] = huge; r.reseal(t) },
		"size of a chunk": func(r register) {
			split(r)["sizes"] = []any{huge, huge, huge}
		},
		"number of a file":  func(r register) { split(r)["file"] = huge },
		"size of a pack":    func(r register) { packs(r)["size"] = huge },
		"era of a pack":     func(r register) { packs(r)["era"] = huge },
		"number of chunks":  func(r register) { r.at("placement")["extents"] = []any{[]any{0, 0, huge}} },
		"number of a pack":  func(r register) { r.at("placement")["extents"] = []any{[]any{huge, 0, 6}} },
		"offset in a pack":  func(r register) { r.at("placement")["extents"] = []any{[]any{0, huge, 6}} },
		"size of the table": func(r register) { r["table"] = map[string]any{"file": map[string]any{"size": huge}} },
		"a million chunks of no bytes": func(r register) {
			split(r)["sizes"] = make([]int, 1_000_000)
		},
	} {
		r := parseRegister(t, encoded(t, packsVector()))
		claim(r)
		body := r.bytes(t)
		limit := 64*uint64(len(body)) + 1<<20
		if took := allocated(func() {
			if _, err := manifest.Decode(body, "team-a:vision:net", packsVector().Version); err == nil {
				t.Errorf("%s: no error", why)
			}
		}); took > limit {
			t.Errorf("%s: decoding %d bytes took %d bytes", why, len(body), took)
		}
	}
}

// Nothing that is longer than it may be is copied about before that is seen.
func TestLongNamesTakeLittleMemory(t *testing.T) {
	long := strings.Repeat("1.", 1<<19)
	for why, parse := range map[string]func(){
		"version":     func() { manifest.ParseVersion(long) },
		"pre-release": func() { manifest.ParseVersion("1.0.0-" + long) },
		"version key": func() { manifest.ParseVersionKey("a" + long) },
		"key":         func() { manifest.ParseVersionRegisterKey("objects/a/@/" + long + ".json") },
		"pack":        func() { manifest.ParsePackKey(strings.Repeat("/", 1<<20)) },
		"name":        func() { manifest.ValidName(long) },
		"path":        func() { manifest.ValidPath(long) },
		"link":        func() { manifest.ValidLink("a", long) },
	} {
		took := allocated(parse)
		if t.Logf("%s: %d KiB", why, took>>10); took > 16<<20 {
			t.Errorf("%s: a string of 1 MiB took %d bytes", why, took)
		}
	}
}

// allocated returns how many bytes f allocates, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
