package manifest

import (
	"errors"
	"os"
	"testing"
)

// Attack A27: a program that knows no compression refuses what uses it, and
// does not take it for damage.
func TestOlderProgramRefusesCompression(t *testing.T) {
	body, err := os.ReadFile("testdata/zstd.json")
	if err != nil {
		t.Fatal(err)
	}
	v := Version{Major: 1, Minor: 10, Pre: "rc.1"}
	if _, err := Decode(body, "team-a:vision:net", v); err != nil {
		t.Fatal(err)
	}
	known := features
	features = nil
	defer func() { features = known }()
	_, err = Decode(body, "team-a:vision:net", v)
	if !errors.Is(err, ErrNewer) || errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ErrNewer)
	}
}
