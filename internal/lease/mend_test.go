package lease

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// overwrite puts a body in the place of whatever is at a key.
func overwrite(t *testing.T, st store.Store, key, body string) {
	t.Helper()
	info, err := st.Stat(t.Context(), key)
	if err == nil {
		_, err = st.Put(t.Context(), key, []byte(body), info.Token)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A damaged exclusive register is set free, with an epoch that no holder has
// had; that of a shared holder is removed. What is sound stays as it is.
func TestMend(t *testing.T) {
	inBubble(t, func(t *testing.T, st *faultstore.Store) {
		s := locksOn(st)
		key := manifest.LockKey(name)
		l := mustLock(t, s, nil)
		sound := read(t, st)
		wantErr(t, s.Mend(t.Context(), key), nil)
		if now := read(t, st); now.Nonce != sound.Nonce {
			t.Error("a sound register was changed")
		}
		mustRelease(t, l)

		for _, mend := range []func(ctx context.Context, s *Locks) error{
			func(ctx context.Context, s *Locks) error { return s.Mend(ctx, key) },
			func(ctx context.Context, s *Locks) error { return errOf(s.Break(ctx, name, "")) },
		} {
			time.Sleep(time.Second) // epochs of damaged locks are times
			before := mustLock(t, locksOn(st), nil)
			before.crash()
			overwrite(t, st, key, "{")
			wantErr(t, mend(t.Context(), locksOn(st)), nil)
			after := mustLock(t, locksOn(st), &Options{Timeout: NoWait})
			if after.Epoch() <= before.Epoch() {
				t.Errorf("epoch %d after %d", after.Epoch(), before.Epoch())
			}
			mustRelease(t, after)
		}

		r := mustRLock(t, s, nil)
		wantErr(t, s.Mend(t.Context(), r.key), nil)
		if _, err := st.Stat(t.Context(), r.key); err != nil {
			t.Errorf("the mark of a holder is gone: %v", err)
		}
		r.crash()
		overwrite(t, st, r.key, "{")
		wantErr(t, s.Mend(t.Context(), r.key), nil)
		if _, err := st.Stat(t.Context(), r.key); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("a damaged mark stays: %v", err)
		}
		mustRelease(t, mustLock(t, locksOn(st), &Options{Timeout: NoWait}))
	})
}
