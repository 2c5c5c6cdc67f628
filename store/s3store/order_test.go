package s3store_test

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/s3store"
)

// lister answers listings of its keys as a server does.
type lister struct {
	keys  []string // in the order of the server
	pos   func(key string) string
	below bool         // an answer to start-after before the prefix has no keys
	stats atomic.Int32 // requests that are no listings
	moves atomic.Int32 // listings
}

// bytewise and walking return the position of a key in a listing.
func bytewise(key string) string { return key }

func walking(key string) string { return strings.ReplaceAll(key, "/", "\x00") }

func newLister(keys []string, pos func(string) string) *lister {
	l := &lister{keys: slices.Clone(keys), pos: pos}
	slices.SortFunc(l.keys, func(a, b string) int { return strings.Compare(pos(a), pos(b)) })
	return l
}

func (l *lister) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amz-request-id", "1")
	q := r.URL.Query()
	if !q.Has("list-type") {
		l.stats.Add(1)
		if !slices.Contains(l.keys, strings.TrimPrefix(r.URL.Path, "/bucket/")) {
			refusal(w, r, http.StatusNotFound, "NoSuchKey", "no such key")
			return
		}
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", "Sat, 28 Nov 2026 00:00:00 GMT")
		return
	}
	l.moves.Add(1)
	prefix, after := q.Get("prefix"), q.Get("start-after")
	silent := l.below && after != "" && after < prefix
	if token := q.Get("continuation-token"); token != "" {
		after = token
	}
	most := 1000
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil && n > 0 {
		most = n
	}
	type entry struct{ Key, ETag, LastModified string }
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string
		Contents              []entry
	}
	for _, key := range l.keys {
		// A walk that begins after a directory's name leaves the directory out.
		skipped := l.pos("/") != "/" && strings.HasPrefix(key, after+"/")
		if silent || skipped || !strings.HasPrefix(key, prefix) || after != "" && l.pos(key) <= l.pos(after) {
			continue
		}
		if len(page.Contents) == most {
			page.IsTruncated, page.NextContinuationToken = true, page.Contents[most-1].Key
			break
		}
		page.Contents = append(page.Contents, entry{key, `"e"`, "2026-11-28T00:00:00Z"})
	}
	w.Header().Set("Content-Type", "application/xml")
	xml.NewEncoder(w).Encode(page)
}

// namesakes are keys of which many look like neighbours of a directory.
func namesakes(rng *rand.Rand, n int) []string {
	segments := []string{"a", "b", "a-b", "a.b", "a!b", "a0", "a-", "aa", "a.b.c", "a-b!c", "!a", "a1.b10.a0~", "a1"}
	var keys []string
	for len(keys) < n {
		var parts []string
		for range 1 + rng.IntN(4) {
			parts = append(parts, segments[rng.IntN(len(segments))])
		}
		key := strings.Join(parts, "/")
		if !slices.ContainsFunc(keys, func(k string) bool {
			return k == key || strings.HasPrefix(k, key+"/") || strings.HasPrefix(key, k+"/")
		}) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Whether a server lists by bytes or by component, in whatever pages: a
// listing is in the order of bytes, each key comes once, and none is missing.
func TestListingsAreSorted(t *testing.T) {
	runs := 80
	if testing.Short() {
		runs = 20
	}
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 0))
		keys := namesakes(rng, 1+rng.IntN(40))
		for name, pos := range map[string]func(string) string{"by bytes": bytewise, "by component": walking} {
			s3store.HoldAtMost(t, 1+rng.IntN(8))
			l := newLister(keys, pos)
			l.below = rng.IntN(2) == 0
			st, _ := answering(t, l.ServeHTTP)
			positions := append(namesakes(rng, 5), "", "a", "a/", "a-b/", "zz", "!")
			positions = append(positions, keys...)
			for range 30 {
				prefix, after := positions[rng.IntN(len(positions))], positions[rng.IntN(len(positions))]
				prefix = prefix[:rng.IntN(len(prefix)+1)]
				ctx := t.Context()
				if rng.IntN(2) == 0 {
					ctx = store.Expect(ctx, 1+rng.IntN(3))
				}
				var want, got []string
				for _, k := range slices.Sorted(slices.Values(keys)) {
					if strings.HasPrefix(k, prefix) && k > after {
						want = append(want, k)
					}
				}
				for info, err := range st.List(ctx, prefix, after) {
					if err != nil {
						t.Fatalf("seed %d, %s, List(%q, after %q): %v", seed, name, prefix, after, err)
					}
					got = append(got, info.Key)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d, %s, List(%q, after %q)\nshows %q\nwant  %q\nof    %q", seed, name, prefix, after, got, want, l.keys)
				}
			}
		}
	}
}

// To find out how a server lists takes one request, once, and none of a server
// that is known. A server by component is asked for a key besides, and no
// more than a page at a time is held of a directory of files.
func TestOrderIsAskedOnce(t *testing.T) {
	var keys []string
	for i := range 2500 {
		keys = append(keys, fmt.Sprintf("d/%04d", i))
	}
	for _, tt := range []struct {
		name, server string
		pos          func(string) string
		moves, stats int32
	}{
		{"MinIO", "MinIO", bytewise, 6, 0},
		{"by bytes", "", bytewise, 7, 0},
		{"by component", "", walking, 7, 1},
	} {
		l := newLister(keys, tt.pos)
		st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", tt.server)
			l.ServeHTTP(w, r)
		})
		for range 2 {
			n := 0
			for _, err := range st.List(t.Context(), "d/", "") {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != len(keys) {
				t.Errorf("%s: %d of %d keys", tt.name, n, len(keys))
			}
		}
		if moves, stats := l.moves.Load(), l.stats.Load(); moves != tt.moves || stats != tt.stats {
			t.Errorf("%s: two listings of three pages took %d listings and %d other requests; want %d and %d", tt.name, moves, stats, tt.moves, tt.stats)
		}
	}
}

// What a listing holds in order to sort it is limited: the first key of a large
// directory is there before the last has been read.
func TestSortingHoldsLittle(t *testing.T) {
	s3store.HoldAtMost(t, 1000)
	var keys []string
	for i := range 20_000 {
		keys = append(keys, fmt.Sprintf("d/e/%05d", i))
	}
	l := newLister(keys, walking)
	st, _ := answering(t, l.ServeHTTP)
	for info, err := range st.List(t.Context(), "d/", "") {
		if err != nil || info.Key != keys[0] {
			t.Error(info.Key, err)
		}
		break
	}
	if n := l.moves.Load(); n > 8 {
		t.Errorf("%d listings for the first of 20 pages", n)
	}
	n := 0
	for _, err := range st.List(t.Context(), "d/", "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(keys) {
		t.Errorf("%d of %d keys", n, len(keys))
	}
}

// A listing in neither order is refused, on its first page or later.
func TestNoOrderIsRefused(t *testing.T) {
	for _, n := range []int{10, 1500} {
		var keys []string
		for i := range n {
			keys = append(keys, fmt.Sprintf("d/%04d", i))
		}
		keys[n-1], keys[n-2] = keys[n-2], keys[n-1]
		l := &lister{keys: keys, pos: func(key string) string { return fmt.Sprintf("%04d", slices.Index(keys, key)) }}
		st, _ := answering(t, l.ServeHTTP)
		var last error
		for _, err := range st.List(t.Context(), "d/", "") {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), "directory bucket") || !strings.Contains(last.Error(), "SeaweedFS") {
			t.Errorf("%d keys: %v", n, last)
		}
	}
}
