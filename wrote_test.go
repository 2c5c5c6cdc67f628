package registry

import (
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Who finds its write in a register's history only has no token to replace
// what others have made of it since.
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
