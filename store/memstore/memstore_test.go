package memstore_test

import (
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Same(memstore.New(nil), 8), &storetest.Options{Rounds: 100, Keys: 20_000})
}

// A caller that puts "a/b" beside "a" works on S3 and breaks on MinIO and on
// directories: the reference says so at once.
func TestNestedKeysRefused(t *testing.T) {
	st := memstore.New(nil)
	if _, err := st.Put(t.Context(), "x/a", nil, store.Absent); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"x/a/b", "x/a/b/c", "x"} {
		if _, err := st.Put(t.Context(), key, nil, store.Absent); err == nil {
			t.Errorf("put of %q beside x/a succeeded", key)
		}
	}
	if err := st.Delete(t.Context(), "x/a"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Put(t.Context(), "x/a/b", nil, store.Absent); err != nil {
		t.Error(err)
	}
	if err := st.Delete(t.Context(), "x/a/b"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Put(t.Context(), "x", nil, store.Absent); err != nil {
		t.Errorf("nothing is below it any more: %v", err)
	}
}

// The store's clock never goes back, whatever the machine's does.
func TestClockGoesBack(t *testing.T) {
	now := time.Unix(1e9, 0)
	st := memstore.New(&memstore.Options{Now: func() time.Time { return now }})
	before, err := st.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(-time.Hour)
	info, err := st.Put(t.Context(), "k", nil, store.Absent)
	if err != nil || info.Modified.Before(before) || info.Now.Before(before) {
		t.Errorf("%+v, %v", info, err)
	}
}
