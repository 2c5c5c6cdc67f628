package knob_test

import (
	"testing"

	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
)

// Outside of tests the knobs stand where the format's limits are.
func TestLimits(t *testing.T) {
	if k := knob.From(t.Context()); k.MaxInline != manifest.MaxInline || k.MaxPack != manifest.MaxPack {
		t.Errorf("inline %d, packs %d; the format allows %d and %d", k.MaxInline, k.MaxPack, manifest.MaxInline, manifest.MaxPack)
	}
}
