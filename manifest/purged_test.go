package manifest_test

import (
	"testing"
	"time"

	"github.com/mindtrace/registry/manifest"
)

// A purged register names nothing any more: garbage collection takes it at
// its word.
func TestDamagedPurgedRegister(t *testing.T) {
	for _, c := range []struct {
		why    string
		damage func(register)
		says   string
	}{
		{"content", func(r register) { r["content"] = map[string]any{"class": "x"} }, "with content"},
		{"files", func(r register) {
			r["content"] = map[string]any{"files": []any{map[string]any{"path": "d", "dir": true}}}
		}, "with content"},
		{"inline bytes", func(r register) { r["placement"] = map[string]any{"inline": "aGk="} }, "with a placement"},
		{"notAfter", func(r register) { r["notAfter"] = "2025-01-02T03:04:05Z" }, "with a placement"},
		{"no time of death", func(r register) { delete(r, "died") }, "without a time of death"},
		{"no digest", func(r register) { delete(r, "digest") }, "no digest"},
		{"negative size", func(r register) { r["size"] = -1 }, "negative"},
		{"live", func(r register) { r["state"] = "live" }, "not purged"},
		{"deleted", func(r register) { r["state"] = "deleted" }, "not purged"},
	} {
		m := purgedVector(t)
		r := parseRegister(t, encoded(t, m))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
		wantCorrupt(t, c.why, err, c.says)
	}
}

func TestPurgedIsNoEvidence(t *testing.T) {
	m := purgedVector(t)
	if m.Sound(vectorTime) || len(m.Packs()) > 0 {
		t.Error("a purged register is evidence for packs")
	}
	if !m.Died.Equal(vectorTime.Add(time.Hour)) {
		t.Errorf("it died %s", m.Died)
	}
}

func TestDamagedCollection(t *testing.T) {
	for why, damage := range map[string]func(register){
		"report that is no object": func(r register) { r["report"] = 1 },
		"report without a start":   func(r register) { delete(r, "started") },
		"unknown member":           func(r register) { r["color"] = "red" },
		"another kind":             func(r register) { r["kind"] = "version" },
	} {
		t.Run(why, func(t *testing.T) {
			body, err := collectionVector().Encode()
			if err != nil {
				t.Fatal(err)
			}
			r := parseRegister(t, body)
			damage(r)
			_, err = manifest.DecodeCollection(r.bytes(t))
			wantError(t, err, manifest.ErrCorrupt, "")
		})
	}
}
