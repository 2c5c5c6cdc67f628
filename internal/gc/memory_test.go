package gc

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// What a collection remembers of a registry of 10⁵ versions with 10⁶ packs
// fits into 150 MB.
func TestGCMemory(t *testing.T) {
	const versions, packsEach, limit = 100_000, 10, 150 << 20
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	c := &collector{l: &ledger.Ledger{Settings: manifest.NewSettings(time.Now(), manifest.Times{})}}
	c.roots, c.seen = map[root]flags{}, map[state]struct{}{}
	for i := range versions {
		v := manifest.Version{Major: 1, Patch: uint64(i)}
		m := &manifest.Manifest{State: manifest.Live, Name: "m", Version: v}
		for k := range packsEach {
			m.Placement.Packs = append(m.Placement.Packs, manifest.Pack{
				Era: 2967, ID: manifest.Sum(binary.BigEndian.AppendUint64(nil, uint64(i*packsEach+k))), Size: 1,
			})
		}
		key := manifest.VersionKey("m", v)
		c.note(key, "0123456789abcdef0123456789abcdef")
		c.add(&ledger.Record{Manifest: m, Stored: store.Info{Key: key}})
	}
	after := used()
	if len(c.roots) != versions*packsEach {
		t.Errorf("%d roots", len(c.roots))
	}
	if n := int64(after) - int64(before); n > limit {
		t.Errorf("%d MB, the limit is %d", n>>20, limit>>20)
	} else {
		t.Logf("%d MB", n>>20)
	}
	runtime.KeepAlive(c)
}
