package manifest_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mindtrace/registry/internal/manifest"
)

// diff compares manifests. That a list is nil or empty is no difference.
func diff(want, got *manifest.Manifest) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genManifest.Draw(t, "manifest")
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		body, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := manifest.Decode(body, m.Name, m.Version)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if d := diff(m, got); d != "" {
			t.Errorf("decoded differently (-sealed +decoded):\n%s", d)
		}
		checkDigest(t, m)
		if err := got.Seal(); err != nil { // changes nothing
			t.Error(err)
		}
		again, err := got.Encode()
		if err != nil || string(again) != string(body) {
			t.Errorf("encoded differently, %v:\n%s\n%s", err, body, again)
		}
	})
}

func TestTableRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genManifest.Draw(t, "manifest")
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		table, err := m.EncodeTable()
		if err != nil {
			t.Fatal(err)
		}
		chunks, packs := placeTable(t, table)
		m.SetTable(int64(len(table)), manifest.Sum(table), chunks, packs)
		body, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := manifest.Decode(body, m.Name, m.Version)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if len(got.Content.Files) > 0 || !cmp.Equal(got.Placement, manifest.Placement{}) {
			t.Errorf("a register with a table holds files of its own:\n%s", body)
		}
		if err := got.ReadTable(bytes.NewReader(table)); err != nil {
			t.Fatalf("%v\n%s", err, table)
		}
		if d := diff(m, got); d != "" {
			t.Errorf("decoded differently (-sealed +decoded):\n%s", d)
		}
		if want := slices.Concat(packs, m.Placement.Packs); !slices.Equal(got.Packs(), want) {
			t.Errorf("packs %v, want %v", got.Packs(), want)
		}
		// A version is deleted without its table being read.
		unread, err := manifest.Decode(body, m.Name, m.Version)
		if err != nil {
			t.Fatal(err)
		}
		again, err := unread.Encode()
		if err != nil || string(again) != string(body) {
			t.Errorf("encoded differently, %v:\n%s\n%s", err, body, again)
		}
	})
}

// placeTable cuts a table into chunks of two packs.
func placeTable(t *rapid.T, table []byte) ([]manifest.Chunk, []manifest.Pack) {
	packs := []manifest.Pack{
		{Era: 7, ID: genDigest.Draw(t, "pack"), Size: int64(len(table)) + 5},
		{Era: 8, ID: genDigest.Draw(t, "other pack"), Size: int64(len(table))},
	}
	cut := rapid.IntRange(0, len(table)-1).Draw(t, "cut")
	if cut == 0 {
		return []manifest.Chunk{{SHA256: manifest.Sum(table), Size: int64(len(table)), Offset: 5}}, packs
	}
	return []manifest.Chunk{
		{SHA256: manifest.Sum(table[:cut]), Size: int64(cut), Pack: 0, Offset: 3},
		{SHA256: manifest.Sum(table[cut:]), Size: int64(len(table) - cut), Pack: 1, Offset: 0},
	}, packs
}

func TestNewManifest(t *testing.T) {
	created := time.Date(2025, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
	m := manifest.NewManifest("my:model", manifest.Version{Major: 1}, created)
	n := manifest.NewManifest("my:model", manifest.Version{Major: 1}, created)
	if m.Nonce == n.Nonce {
		t.Error("two manifests have one nonce")
	}
	if want := "2025-03-04T04:06:07.123Z"; m.Created.Format(time.RFC3339Nano) != want {
		t.Errorf("created %s, want %s", m.Created.Format(time.RFC3339Nano), want)
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := manifest.Decode(body, "my:model", manifest.Version{Major: 1})
	if err != nil || got.State != manifest.Live || got.Count != 0 || got.Size != 0 {
		t.Errorf("read back as %+v, %v", got, err)
	}
}

// A register vouches for its packs if it is live and the store dated it in
// time. One that names packs without saying until when never does.
func TestSound(t *testing.T) {
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	packs := []manifest.Pack{{Size: 1}}
	for _, c := range []struct {
		why      string
		m        manifest.Manifest
		modified time.Time
		want     bool
	}{
		{"in time", manifest.Manifest{State: manifest.Live, NotAfter: at, Placement: manifest.Placement{Packs: packs}}, at.Add(-1), true},
		{"just in time", manifest.Manifest{State: manifest.Live, NotAfter: at, Placement: manifest.Placement{Packs: packs}}, at, true},
		{"late", manifest.Manifest{State: manifest.Live, NotAfter: at, Placement: manifest.Placement{Packs: packs}}, at.Add(1), false},
		{"late table", manifest.Manifest{State: manifest.Live, NotAfter: at, Table: &manifest.Table{Packs: packs}}, at.Add(1), false},
		{"deleted", manifest.Manifest{State: manifest.Deleted, NotAfter: at, Placement: manifest.Placement{Packs: packs}}, at, false},
		{"inline", manifest.Manifest{State: manifest.Live}, at, true},
		{"inline, deleted", manifest.Manifest{State: manifest.Deleted}, at, false},
		{"packs, but no limit", manifest.Manifest{State: manifest.Live, Placement: manifest.Placement{Packs: packs}}, at, false},
		{"table, but no limit", manifest.Manifest{State: manifest.Live, Table: &manifest.Table{Packs: packs}}, at, false},
		{"no state", manifest.Manifest{}, at, false},
	} {
		if got := c.m.Sound(c.modified); got != c.want {
			t.Errorf("%s: sound is %v, want %v", c.why, got, c.want)
		}
	}
}
