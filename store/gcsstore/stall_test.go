package gcsstore_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
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

// hang reads a request and goes on with nothing.
func hang(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// A server that stalls is unavailable, or the outcome is unknown where it may
// have done what it was asked.
func TestStalls(t *testing.T) {
	impatient(t)
	begin := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			w.Header().Set("X-Goog-Generation", "1")
			w.WriteHeader(status)
			io.WriteString(w, text)
			hang(w, r)
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"half an answer": begin(200, `{"items": [{"name": "k", "gener`),
		"half a refusal": begin(503, `{"error": {"code": 5`),
	} {
		for i, op := range operations {
			st, n := fake(t, handler)
			err := op.do(t.Context(), st)
			if op.name == "delete" && name == "half an answer" {
				continue // nobody waits for the rest of it
			}
			want := store.ErrUnavailable
			if i < changing {
				want = store.ErrUnknown
			}
			is(t, name+": "+op.name, err, want)
			if !errors.Is(err, store.ErrStalled) || n.Load() != 1 {
				t.Errorf("%s: %s: %d requests, %v", name, op.name, n.Load(), err)
			}
		}
	}
}

// Whoever hands out tokens may stall too: nothing has been sent then, and no
// call hangs.
func TestTokensStall(t *testing.T) {
	impatient(t)
	for name, token := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"half an answer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100000")
			io.WriteString(w, `{"access_token": "TOK`)
			hang(w, r)
		},
	} {
		g := newGoogle(t)
		g.token = token
		o := g.options()
		o.CredentialsJSON = g.key
		for _, op := range operations {
			err := op.do(t.Context(), open(t, o))
			is(t, name+": "+op.name, err, store.ErrUnavailable)
			if !errors.Is(err, store.ErrStalled) {
				t.Errorf("%s: %s: %v", name, op.name, err)
			}
		}
		if n := g.asked.Load(); n != 0 {
			t.Errorf("%s: %d requests without a token", name, n)
		}
	}
}

// A listing ends, whatever the server makes up; and says what is wrong.
func TestListingsEnd(t *testing.T) {
	page := func(next string, keys ...string) string {
		var items []string
		for _, key := range keys {
			items = append(items, fmt.Sprintf(`{"name": %q, "size": "1", "generation": "5", "timeCreated": "2026-10-01T09:00:00Z"}`, key))
		}
		return fmt.Sprintf(`{"nextPageToken": %q, "items": [%s]}`, next, strings.Join(items, ","))
	}
	for _, tt := range []struct {
		name     string
		page     func(n int) string // what is answered to request n, from 0
		says     string
		requests int64
	}{
		{"the same token again", func(n int) string { return page("more", fmt.Sprintf("p/%04d", n)) }, "the same token", 2},
		{"empty pages", func(n int) string { return page(fmt.Sprint(n)) }, "no key of a registry", 1001},
		{"keys that are none", func(n int) string { return page(fmt.Sprint(n), fmt.Sprintf("p/X%04d", n)) }, "no key of a registry", 1001},
		{"a page without end", func(int) string { return page("more", strings.Repeat("k", 9<<20)) }, "does not end", 1},
		{"a page of nothing", func(int) string { return `{"items": [` + strings.Repeat("{},", 200_000) + "{}]}" }, "does not end", 1},
		{"no JSON", func(int) string { return "<ListBucketResult></ListBucketResult>" }, "does not come from an object store", 1},
		{"other JSON", func(int) string { return `{"items": "none"}` }, "does not come from an object store", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			bare, requests := fake(t, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, tt.page(n))
				n++
			})
			var last error
			for _, err := range wrapstore.Retry(bare, wrapstore.RetryPolicy{}).List(t.Context(), "p/", "") {
				last = err
			}
			is(t, tt.name, last, errPlain)
			if last != nil && !strings.Contains(last.Error(), tt.says) {
				t.Errorf("%v; want one that says %q", last, tt.says)
			}
			if got := requests.Load(); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
		})
	}
}

// A body is what was announced, or none.
func TestBodiesAsAnnounced(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		opts    *store.GetOptions
		says    string
	}{
		"longer than its range": {[]string{"Content-Range", "bytes 0-9/100"}, &store.GetOptions{Length: 10}, "more than the 10 bytes"},
		"a longer range":        {[]string{"Content-Range", "bytes 0-10/100"}, &store.GetOptions{Length: 10}, "got 11 from 0"},
		"no length":             {nil, nil, "does not say how many bytes"},
	} {
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			object(flushed{w}, "17", "hello world", c.headers...)
		})
		_, _, err := st.Get(t.Context(), "k", c.opts)
		is(t, name, err, errPlain)
		if err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
}

// flushed sends the head of an answer before the body, and so no length.
type flushed struct{ http.ResponseWriter }

func (f flushed) Write(p []byte) (int, error) {
	http.NewResponseController(f.ResponseWriter).Flush()
	return f.ResponseWriter.Write(p)
}

// White space around what people set is no part of it.
func TestWhiteSpace(t *testing.T) {
	g := newGoogle(t)
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, g.key, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_CLOUD_PROJECT", " project\n")
	o := g.options()
	o.Bucket, o.Endpoint, o.CredentialsFile = "bucket\n", " "+o.Endpoint+"\r\n", file+"\n"
	st := open(t, o)
	if err := st.Delete(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	if d := st.Describe(); d.Bucket != "bucket" || d.Endpoint != g.URL || d.Project != "project" {
		t.Errorf("%+v", d)
	}
	if got := *g.bearer.Load(); got != "Bearer TOKEN" {
		t.Errorf("authorized by %q", got)
	}
}
