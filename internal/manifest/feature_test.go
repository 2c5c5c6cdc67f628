package manifest

import (
	"errors"
	"os"
	"testing"
)

// An older program, which knows no compression or no purge, refuses registers that
// use it, and does not report them as damage. Its collections end there and free
// nothing (see docs/attacks.md, A27).
func TestOlderProgramRefusesFeatures(t *testing.T) {
	for _, file := range []string{"testdata/zstd.json", "testdata/purging.json"} {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v := Version{Major: 1, Minor: 10, Pre: "rc.1"}
		if _, err := Decode(body, "team-a:vision:net", v); err != nil {
			t.Fatal(err)
		}
		known := features
		features = nil
		_, err = Decode(body, "team-a:vision:net", v)
		features = known
		if !errors.Is(err, ErrNewer) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want %v", file, err, ErrNewer)
		}
	}
}
