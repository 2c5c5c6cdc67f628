package registry

import (
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// A writer that finds its write only in the history of a register gets no token: it
// must not replace what others have written since.
func TestHistoryGivesNoToken(t *testing.T) {
	r := openOn(t, newStore(t), nil)
	mustSave(t, r, "m", "x")
	f := manifestOf(t, r, "m")
	key := manifest.VersionKey("m", f.Version)
	if mine, info, err := r.ledger.Wrote(t.Context(), key, f.Nonce); !mine || err != nil || info.Token != f.Stored.Token {
		t.Fatalf("own state: %v %q %v", mine, info.Token, err)
	}
	mustDelete(t, r, "m@1.0.0")
	if mine, info, err := r.ledger.Wrote(t.Context(), key, f.Nonce); !mine || err != nil || info.Token != store.Absent {
		t.Fatalf("own state, deleted by others: %v %q %v", mine, info.Token, err)
	}
}
