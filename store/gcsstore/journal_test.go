package gcsstore_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/gcsstore"
)

// stored is what an object of the emulator is: its Info without Now, and its
// bytes.
type stored struct {
	info store.Info
	body string
}

// contents returns all that is in the bucket of the emulator at endpoint.
func contents(t *testing.T, endpoint string) map[string]stored {
	t.Helper()
	st := open(t, gcsstore.Options{Bucket: "torn", Endpoint: endpoint})
	found := map[string]stored{}
	for info, err := range st.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, got, err := st.Get(t.Context(), info.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Token != info.Token || !got.Modified.Equal(info.Modified) || got.Size != info.Size {
			t.Errorf("%s is %+v, and listed as %+v", info.Key, got, info)
		}
		found[info.Key] = stored{store.Info{Key: info.Key, Size: info.Size, Token: info.Token, Modified: info.Modified}, string(body)}
	}
	return found
}

// The emulator begins with the changes that are whole in its journal, wherever
// a kill has torn that, and goes on from there.
func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	var ends []int64 // of the changes
	var states []map[string]stored
	t.Run("write", func(t *testing.T) {
		endpoint := emulator(t, "-dir", dir)
		st := open(t, gcsstore.Options{Bucket: "torn", Endpoint: endpoint, Project: "test"})
		if err := st.MakeBucket(t.Context()); err != nil {
			t.Fatal(err)
		}
		tokens := map[string]store.Token{}
		put := func(key string, size int) error {
			info, err := st.Put(t.Context(), key, bytes.Repeat([]byte{'\n', byte(size), '{'}, size/3), tokens[key])
			tokens[key] = info.Token
			return err
		}
		for i, change := range []func() error{
			func() error { return nil },
			func() error { return put("a/b", 300) },
			func() error { return put("a", 30_000) },
			func() error { return put("a/b", 0) },
			func() error { return st.Delete(t.Context(), "a") },
			func() error { tokens["a"] = store.Absent; return put("a", 3) },
		} {
			if err := change(); err != nil {
				t.Fatalf("change %d: %v", i, err)
			}
			f, err := os.Stat(filepath.Join(dir, "journal"))
			if err != nil {
				t.Fatal(err)
			}
			ends, states = append(ends, f.Size()), append(states, contents(t, endpoint))
		}
	})
	if t.Failed() || len(states) == 0 {
		return
	}
	whole, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	for i, end := range ends {
		cuts := []int64{end}
		if i+1 < len(ends) {
			cuts = append(cuts, end+1, (end+ends[i+1])/2, ends[i+1]-1)
		}
		for _, cut := range cuts {
			t.Run(fmt.Sprintf("%d+%d", i, cut-end), func(t *testing.T) {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "journal"), whole[:cut], 0o666); err != nil {
					t.Fatal(err)
				}
				want := maps.Clone(states[i])
				t.Run("torn", func(t *testing.T) {
					endpoint := emulator(t, "-dir", dir)
					if got := contents(t, endpoint); !maps.Equal(got, want) {
						t.Fatalf("it has %v, want %v", got, want)
					}
					st := open(t, gcsstore.Options{Bucket: "torn", Endpoint: endpoint})
					info, err := st.Put(t.Context(), "c", []byte("after"), store.Absent)
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range want { // all of the same number of digits
						if info.Token <= s.info.Token {
							t.Errorf("generation %s, after %s", info.Token, s.info.Token)
						}
					}
					want["c"] = contents(t, endpoint)["c"]
				})
				if got := contents(t, emulator(t, "-dir", dir)); !maps.Equal(got, want) {
					t.Errorf("it has %v, want %v", got, want)
				}
			})
		}
	}
}

// A journal that no kill can have left is refused.
func TestDamagedJournal(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal"), []byte("{\"Bucket\":\"a\"}\nx\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), servers.Binary(t, "gcs"), "-dir", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "damaged at byte 15") {
		t.Errorf("%v: %s", err, out)
	}
}
