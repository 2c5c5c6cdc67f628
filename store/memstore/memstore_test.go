package memstore_test

import (
	"testing"

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
}
