package wrapstore_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"testing"

	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

// parted lists a part that cannot be read, and breaks off behind it once.
type parted struct {
	store.Store
	calls int
}

func (p *parted) List(_ context.Context, _, after string) iter.Seq2[store.Info, error] {
	p.calls++
	return func(yield func(store.Info, error) bool) {
		for _, key := range []string{"a/1", "b/", "c/1"} {
			bad := &store.UnreadableError{Prefix: key, Err: fs.ErrPermission}
			switch {
			case key != "b/" && key <= after, after >= bad.After() && key == "b/": // a directory is entered unless all in it is behind
			case key == "b/":
				if !yield(store.Info{}, bad) {
					return
				}
				if p.calls == 1 {
					yield(store.Info{}, store.ErrUnavailable)
					return
				}
			case !yield(store.Info{Key: key}, nil):
				return
			}
		}
	}
}

// A listing that is tried again goes on behind the part that cannot be read, and
// tells it once, through all that the registry puts around a store.
func TestListingGoesOnBehindAnUnreadablePart(t *testing.T) {
	p := &parted{Store: memstore.New(nil)}
	st := wrapstore.ObserveClock(wrapstore.Retry(p, wrapstore.RetryPolicy{}), new(wrapstore.Clock))
	var got []string
	for info, err := range st.List(t.Context(), "", "") {
		if bad := (*store.UnreadableError)(nil); errors.As(err, &bad) && errors.Is(err, fs.ErrPermission) {
			got = append(got, "not "+bad.Prefix)
		} else if err != nil {
			t.Fatal(err)
		} else {
			got = append(got, info.Key)
		}
	}
	if want := []string{"a/1", "not b/", "c/1"}; !slices.Equal(got, want) || p.calls != 2 {
		t.Errorf("%d listings give %q", p.calls, got)
	}
}

// A link that is no key hides nothing that only begins like it, wherever the
// listing goes on.
func TestBehindAnUnreadableKey(t *testing.T) {
	for prefix, hidden := range map[string]map[string]bool{
		"a/b":  {"a/b": true, "a/b-c": false, "a/b.json": false, "a/b/1": false, "a/bc/1": false},
		"a/b/": {"a/b-c": true, "a/b/1": true, "a/b/~~": true, "a/b0": false, "a/c": false},
	} {
		after := (&store.UnreadableError{Prefix: prefix}).After()
		for key, want := range hidden {
			if got := key <= after; got != want {
				t.Errorf("behind %q the key %q is passed over: %t", prefix, key, got)
			}
		}
	}
}
