package s3store_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/internal/faultproxy"
	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/storetest"
)

// cephsWays answers as Ceph's gateway does: it refuses an ETag in quotes, and
// calls every nth swap, as if it raced, an error of its own and does not make it.
func cephsWays(nth int) func(*http.Request) faultproxy.Fault {
	swaps := 0
	return func(r *http.Request) faultproxy.Fault {
		etag := r.Header.Get("If-Match")
		if strings.HasPrefix(etag, `"`) {
			return faultproxy.Fault{Lost: true, Status: http.StatusPreconditionFailed, Code: "PreconditionFailed"}
		}
		if etag != "" && !strings.Contains(r.URL.Path, "/outcomes/") { // where nothing races
			if swaps++; nth > 0 && swaps%nth == 0 {
				return faultproxy.Fault{Lost: true, Status: http.StatusInternalServerError, Code: "UnknownError"}
			}
		}
		return faultproxy.Fault{}
	}
}

// A gateway that takes no quotes keeps the whole contract.
func TestContractWithoutQuotes(t *testing.T) {
	s := servers.MinIO(t)
	p := faultproxy.Start(t, s.Addr(), cephsWays(7))
	bucket := s.Bucket(t)
	conns := make([]store.Store, 8)
	for i := range conns {
		conns[i] = open(t, through(p, bucket))
	}
	storetest.Run(t, conns, &storetest.Options{Rounds: 10, Keys: 500})
}

// swaps counts the swaps that reach a server, by the form of their condition.
type swaps struct{ quoted, bare, looks atomic.Int32 }

func (c *swaps) plan(next func(*http.Request) faultproxy.Fault) func(*http.Request) faultproxy.Fault {
	return func(r *http.Request) faultproxy.Fault {
		switch etag := r.Header.Get("If-Match"); {
		case strings.HasPrefix(etag, `"`):
			c.quoted.Add(1)
		case etag != "":
			c.bare.Add(1)
		case r.Method == http.MethodHead:
			c.looks.Add(1)
		}
		if next == nil {
			return faultproxy.Fault{}
		}
		return next(r)
	}
}

func (c *swaps) want(t *testing.T, what string, quoted, bare, looks int32) {
	t.Helper()
	if q, b, l := c.quoted.Swap(0), c.bare.Swap(0), c.looks.Swap(0); q != quoted || b != bare || l != looks {
		t.Errorf("%s: %d swaps in quotes, %d without, %d looks; want %d, %d, %d", what, q, b, l, quoted, bare, looks)
	}
}

// The form that a server takes is found out by the first swap that it refuses
// though the state is right, and is kept.
func TestFormIsFoundOut(t *testing.T) {
	s := servers.MinIO(t)
	var c swaps
	p := faultproxy.Start(t, s.Addr(), c.plan(cephsWays(0)))
	st := open(t, through(p, s.Bucket(t)))
	first, err := st.Put(t.Context(), "k", []byte("1"), store.Absent)
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.Put(t.Context(), "k", []byte("x"), "0123456789abcdef0123456789abcdef")
	if !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("a swap of another state: %v", err)
	}
	_, err = st.Put(t.Context(), "absent", []byte("x"), first.Token)
	if !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("a swap of no key: %v", err)
	}
	c.want(t, "refused rightly", 2, 0, 2) // the proxy says 412, also without a key
	second, err := st.Put(t.Context(), "k", []byte("2"), first.Token)
	if err != nil {
		t.Fatal(err)
	}
	c.want(t, "the first swap", 1, 1, 1)
	if _, err := st.Put(t.Context(), "k", []byte("3"), second.Token); err != nil {
		t.Error(err)
	}
	if _, err := st.Put(t.Context(), "k", []byte("4"), first.Token); !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("a swap of an old state: %v", err)
	}
	c.want(t, "later swaps", 0, 2, 0)
}

// A server that takes quotes is never sent anything else, however often a swap
// is refused.
func TestQuotesAreKept(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, bucket string) {
		var c swaps
		p := faultproxy.Start(t, s.Addr(), c.plan(nil))
		for round := range 5 {
			key := fmt.Sprintf("k%d", round)
			info, err := open(t, through(p, bucket)).Put(t.Context(), key, []byte("0"), store.Absent)
			if err != nil {
				t.Fatal(err)
			}
			var won atomic.Int32
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					_, err := open(t, through(p, bucket)).Put(t.Context(), key, fmt.Append(nil, i+1), info.Token)
					switch {
					case err == nil:
						won.Add(1)
					case errors.Is(err, store.ErrUnknown): // SeaweedFS may call a race an error of its own
						if body, _, err := open(t, s.URL(bucket)).Get(t.Context(), key, nil); err != nil || string(body) == fmt.Sprint(i+1) {
							won.Add(1)
						}
					case !errors.Is(err, store.ErrPrecondition) && !errors.Is(err, store.ErrRetry):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := won.Load(); n != 1 {
				t.Errorf("%d of 8 swaps won", n)
			}
		}
		if n := c.bare.Load(); n > 0 {
			t.Errorf("%d swaps without quotes", n)
		}
		st := open(t, through(p, bucket))
		info, err := st.Put(t.Context(), "once", []byte("0"), store.Absent)
		if err == nil {
			_, err = st.Put(t.Context(), "once", []byte("1"), info.Token)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.want(t, "before", c.quoted.Load(), 0, c.looks.Load())
		if _, err := st.Put(t.Context(), "once", []byte("2"), "0123456789abcdef0123456789abcdef"); !errors.Is(err, store.ErrPrecondition) {
			t.Error(err)
		}
		c.want(t, "a refusal after a swap", 1, 0, 0)
	})
}

// A swap that was made, and is refused when the network repeats it, is refused:
// whether it was made, only its author can tell, by its nonce. It is not made
// again.
func TestRepeatedSwap(t *testing.T) {
	s := servers.MinIO(t)
	var c swaps
	p := faultproxy.Start(t, s.Addr(), c.plan(func(r *http.Request) faultproxy.Fault {
		return faultproxy.Fault{Twice: r.Header.Get("If-Match") != ""}
	}))
	st := open(t, through(p, s.Bucket(t)))
	info, err := st.Put(t.Context(), "k", []byte("1"), store.Absent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Put(t.Context(), "k", []byte("2"), info.Token); !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("got %v, want ErrPrecondition", err)
	}
	c.want(t, "a repeated swap", 1, 0, 1)
	if body, _, err := st.Get(t.Context(), "k", nil); err != nil || string(body) != "2" {
		t.Errorf("%q, %v", body, err)
	}
}

// A refusal that cannot be judged is no refusal.
func TestRefusalThatCannotBeJudged(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			refusal(w, r, http.StatusServiceUnavailable, "SlowDown", "")
			return
		}
		refusal(w, r, http.StatusPreconditionFailed, "PreconditionFailed", "")
	})
	_, err := st.Put(t.Context(), "k", []byte("1"), "0123456789abcdef0123456789abcdef")
	if !errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrPrecondition) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

// A swap that fails says nothing of the form that the server takes.
func TestFormOfASwapThatFailed(t *testing.T) {
	const etag = "0123456789abcdef0123456789abcdef"
	puts := 0
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			state(w, r, etag, "1")
			return
		}
		switch puts++; {
		case puts == 1:
			refusal(w, r, http.StatusServiceUnavailable, "SlowDown", "")
		case r.Header.Get("If-Match") != etag: // without quotes
			refusal(w, r, http.StatusPreconditionFailed, "PreconditionFailed", "")
		default:
			w.Header().Set("ETag", `"2"`)
		}
	})
	if _, err := st.Put(t.Context(), "k", []byte("2"), etag); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("a busy server: %v", err)
	}
	if _, err := st.Put(t.Context(), "k", []byte("2"), etag); err != nil || puts != 3 {
		t.Errorf("%v, after %d puts", err, puts)
	}
}

// A bucket that is one's own already may be called so in two ways off AWS.
func TestBucketExists(t *testing.T) {
	for _, own := range []bool{true, false} {
		st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method != http.MethodHead:
				refusal(w, r, http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available.")
			case !own:
				refusal(w, r, http.StatusForbidden, "AccessDenied", "")
			}
		})
		err := st.MakeBucket(t.Context())
		if own && err != nil || !own && (err == nil || !strings.Contains(err.Error(), "another account")) {
			t.Errorf("own %v: %v", own, err)
		}
	}
}
