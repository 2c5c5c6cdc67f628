package s3store_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// impatient shortens what a request may take without headway.
func impatient(t *testing.T) {
	was := transport.Patience
	t.Cleanup(func() { transport.Patience = was })
	transport.Patience = 100 * time.Millisecond
}

// stalls answers the ways in which servers do that stall.
func stalls(t *testing.T) map[string]http.HandlerFunc {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	wait := func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}
	begin := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				hangUp(w, r) // what has no body cannot stop in it
				return
			}
			w.Header().Set("X-Amz-Request-Id", "1")
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
			w.Header().Set("Content-Length", "100000")
			w.WriteHeader(status)
			io.WriteString(w, text)
			wait(w, r)
		}
	}
	return map[string]http.HandlerFunc{
		"no answer": func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-over:
			case <-r.Context().Done():
			}
		},
		"half a page":    begin(200, `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a`),
		"half a refusal": begin(500, `<Error><Code>Intern`),
	}
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		c.Close()
	}
}

// A server that stalls is unavailable, or the outcome is unknown where it may
// have done what it was asked.
func TestStalls(t *testing.T) {
	impatient(t)
	for name, handler := range stalls(t) {
		t.Run(name, func(t *testing.T) {
			st, _ := answering(t, handler)
			for call, err := range everyCall(t.Context(), st) {
				head := call == "stat" || call == "now"
				changes := call == "create" || call == "replace" || call == "delete"
				switch {
				case head && name != "no answer": // it has hung up
				case changes && name == "half a page": // nobody waits for it
				case !errors.Is(err, store.ErrStalled), errors.Is(err, store.ErrUnknown) != changes, errors.Is(err, store.ErrUnavailable) == changes:
					t.Errorf("%s: %v", call, err)
				}
			}
		})
	}
}

// A call that stalls is repeated once, and a put that may have been applied
// never.
func TestStallIsRepeatedOnce(t *testing.T) {
	impatient(t)
	for _, answered := range []bool{false, true} {
		bare, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/there") {
				refusal(w, r, 404, "NoSuchKey", "The specified key does not exist.")
				return
			}
			<-r.Context().Done()
		})
		st := wrapstore.Retry(bare, wrapstore.RetryPolicy{})
		if answered {
			if _, _, err := st.Get(t.Context(), "there", nil); !errors.Is(err, store.ErrNotExist) {
				t.Fatal(err)
			}
		}
		for call, want := range map[string]int32{"get": 2, "list": 2, "put": 1, "delete": 2} {
			requests.Store(0)
			var err error
			switch call {
			case "get":
				_, _, err = st.Get(t.Context(), "k", nil)
			case "list":
				for _, err = range st.List(t.Context(), "", "") {
				}
			case "put":
				_, err = st.Put(t.Context(), "k", []byte("x"), store.Absent)
			case "delete":
				err = st.Delete(t.Context(), "k")
			}
			if n := requests.Load(); n != want || !errors.Is(err, store.ErrStalled) {
				t.Errorf("%s, answered before %t: %d requests, want %d; %v", call, answered, n, want, err)
			}
		}
	}
}

// Whoever hands out credentials may stall too, and make no call hang.
func TestCredentialsStall(t *testing.T) {
	impatient(t)
	hang := func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	for name, set := range map[string]func(dir string){
		"container role": func(string) { t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, hang)) },
		"web identity": func(dir string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, dir, "jwt", "my-jwt"))
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
			t.Setenv("AWS_ENDPOINT_URL_STS", serve(t, hang))
		},
		"instance role": func(string) {
			t.Setenv("AWS_EC2_METADATA_DISABLED", "")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", serve(t, hang))
		},
	} {
		set(bareEnvironment(t))
		server := &who{}
		st := open(t, "s3://bucket?endpoint="+serve(t, server.ServeHTTP))
		for call, err := range everyCall(t.Context(), st) {
			if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
		if len(server.callers) > 0 {
			t.Errorf("%s: asked by %q", name, server.callers)
		}
	}
}

// page is a page of a listing.
func page(next string, keys ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<ListBucketResult><IsTruncated>%t</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", next != "", next)
	for _, key := range keys {
		fmt.Fprintf(&b, `<Contents><Key>%s</Key><ETag>"1"</ETag><LastModified>2001-02-03T04:05:06.789Z</LastModified></Contents>`, key)
	}
	return b.String() + "</ListBucketResult>"
}

// A listing ends, whatever the server makes up; and says what is wrong.
func TestListingsEnd(t *testing.T) {
	for _, tt := range []struct {
		name     string
		page     func(n int) string // what is answered to request n, from 0
		says     string
		requests int32 // of two pages that hold keys one more: it asks for the order
	}{
		{"the same token again", func(n int) string { return page("more", fmt.Sprintf("p/%04d", n)) }, "the same token", 3},
		{"the same page again", func(n int) string { return page(fmt.Sprint(n), "p/a") }, "in order", 3},
		{"empty pages", func(n int) string { return page(fmt.Sprint(n)) }, "no key of a registry", 1000},
		{"keys that are none", func(n int) string { return page(fmt.Sprint(n), fmt.Sprintf("p/X%04d", n)) }, "no key of a registry", 1000},
		{"keys of another prefix", func(n int) string { return page(fmt.Sprint(n), fmt.Sprintf("q/%04d", n)) }, `does not begin with "p/"`, 1},
		{"a page without end", func(int) string { return page("more", strings.Repeat("k", 9<<20)) }, "does not end", 1},
		{"a page of nothing", func(int) string {
			return strings.Replace(page(""), "</List", strings.Repeat("<Contents/>", 200_000)+"</List", 1)
		}, "does not end", 1},
		{"no XML", func(int) string { return `{"keys": []}` }, "does not come from an object store", 1},
		{"other XML", func(int) string { return `<?xml version="1.0"?><Listing></Listing>` }, "does not come from an object store", 1},
		{"a page that breaks its own rules", func(int) string { return strings.Replace(page("more"), "more", "", 1) }, "does not come from an S3 server", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			bare, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, tt.page(n))
				n++
			})
			var last error
			for _, err := range wrapstore.Retry(bare, wrapstore.RetryPolicy{}).List(t.Context(), "p/", "") {
				last = err
			}
			if last == nil || !strings.Contains(last.Error(), tt.says) || errors.Is(last, store.ErrUnavailable) {
				t.Errorf("%v; want one that says %q", last, tt.says)
			}
			if got := requests.Load(); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
		})
	}
}

// A body is what was asked for and announced, or none.
func TestBodiesAsAnnounced(t *testing.T) {
	for _, tt := range []struct {
		name, contentRange string
		opts               *store.GetOptions
		size               int
		want               error // nil for any
		says               string
	}{
		{"without end", "", nil, 17 << 20, store.ErrTooLarge, "larger than any"},
		{"longer than its range", "bytes 0-9/100", &store.GetOptions{Length: 10}, 11, nil, "more bytes than it announced"},
		{"another range", "bytes 5-14/100", &store.GetOptions{Length: 10}, 10, nil, "other bytes than the requested ones"},
		{"a longer range", "bytes 0-19/100", &store.GetOptions{Length: 10}, 20, nil, "other bytes than the requested ones"},
		{"no range", "bytes */100", &store.GetOptions{Length: 10}, 10, nil, "Content-Range"},
	} {
		st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
			if tt.contentRange != "" {
				w.Header().Set("Content-Range", tt.contentRange)
				w.WriteHeader(http.StatusPartialContent)
			}
			http.NewResponseController(w).Flush() // so that no length is said
			w.Write(make([]byte, tt.size))
		})
		_, _, err := st.Get(t.Context(), "k", tt.opts)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v; want one that says %q", tt.name, err, tt.says)
		}
	}
}
