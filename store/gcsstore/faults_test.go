package gcsstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/gcsstore"
)

// fake is a store whose server is h, and a count of the requests it got.
func fake(t *testing.T, h http.HandlerFunc) (*gcsstore.Store, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	return open(t, gcsstore.Options{Bucket: "bucket", Endpoint: srv.URL}), &n
}

// refuse answers as Google documents it. The answer to a download is the
// same JSON, or text.
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": code, "message": message,
		"errors": []map[string]string{{"domain": "global", "reason": reason, "message": message}},
	}})
}

// cut ends the connection without an answer, the request having been read.
func cut(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
}

// operations call each method once. The first three change something.
var operations = []struct {
	name string
	do   func(ctx context.Context, st *gcsstore.Store) error
}{
	{"create", func(ctx context.Context, st *gcsstore.Store) error {
		_, err := st.Put(ctx, "k", []byte("body"), store.Absent)
		return err
	}},
	{"replace", func(ctx context.Context, st *gcsstore.Store) error {
		_, err := st.Put(ctx, "k", []byte("body"), "1700000000000000")
		return err
	}},
	{"delete", func(ctx context.Context, st *gcsstore.Store) error { return st.Delete(ctx, "k") }},
	{"get", func(ctx context.Context, st *gcsstore.Store) error {
		_, _, err := st.Get(ctx, "k", nil)
		return err
	}},
	{"stat", func(ctx context.Context, st *gcsstore.Store) error { _, err := st.Stat(ctx, "k"); return err }},
	{"list", func(ctx context.Context, st *gcsstore.Store) error {
		for _, err := range st.List(ctx, "", "") {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"now", func(ctx context.Context, st *gcsstore.Store) error { _, err := st.Now(ctx); return err }},
}

const changing = 3 // of the operations

// kinds are the errors that callers tell apart. An error is to be exactly the
// one wanted.
var kinds = []error{
	store.ErrPrecondition, store.ErrRetry, store.ErrUnknown, store.ErrUnavailable, store.ErrNoBucket, store.ErrNotExist, fs.ErrPermission,
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %v", what, want)
		return
	}
	for _, kind := range kinds {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%s: %v\nis %q: %t, want %v", what, err, kind, errors.Is(err, kind), want)
		}
	}
}

var errPlain = errors.New("none of the kinds: not applied, and will not be")

// Clause 6: what each refusal means, from one request each: nothing is tried
// again behind the caller's back.
func TestRefusals(t *testing.T) {
	const denied = "me@p.iam.gserviceaccount.com does not have storage.objects.create access to the Google Cloud Storage object. Permission 'storage.objects.create' denied on resource (or it may not exist)."
	for _, c := range []struct {
		code            int
		reason, message string
		write, read     error
		says            string
	}{
		{400, "invalid", "Provided CRC32C \"AAAAAA==\" doesn't match calculated CRC32C \"yZRlqg==\".", errPlain, errPlain, "CRC32C"},
		{401, "authError", "Invalid Credentials", fs.ErrPermission, fs.ErrPermission, "credentials used"},
		{403, "forbidden", denied, fs.ErrPermission, fs.ErrPermission, "storage.objects.create"},
		{403, "rateLimitExceeded", "Rate limit exceeded", store.ErrRetry, store.ErrRetry, "Rate limit"},
		{403, "accountDisabled", "The billing account for the owning project is disabled in state absent", fs.ErrPermission, fs.ErrPermission, "billing"},
		{404, "notFound", "The specified bucket does not exist.", store.ErrNoBucket, store.ErrNoBucket, `no bucket "bucket"`},
		{408, "backendError", "Request Timeout", store.ErrUnknown, store.ErrUnavailable, "Timeout"},
		{429, "rateLimitExceeded", "The object bucket/k exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate.", store.ErrRetry, store.ErrRetry, "rate limit"},
		{500, "backendError", "Backend Error", store.ErrUnknown, store.ErrUnavailable, "Backend"},
		{503, "backendError", "We encountered an internal error. Please try again.", store.ErrUnknown, store.ErrUnavailable, "internal error"},
		{504, "backendError", "Gateway Timeout", store.ErrUnknown, store.ErrUnavailable, "Gateway"},
	} {
		for i, op := range operations {
			what := fmt.Sprintf("%s %d %s", op.name, c.code, c.reason)
			st, n := fake(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, c.code, c.reason, c.message) })
			want := c.read
			if i < changing {
				want = c.write
			}
			err := op.do(t.Context(), st)
			is(t, what, err, want)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %q does not say %q", what, err, c.says)
			}
			if n.Load() != 1 {
				t.Errorf("%s: %d requests, want 1", what, n.Load())
			}
		}
	}
}

func TestPrecondition(t *testing.T) {
	st, n := fake(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, 412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
	})
	for _, op := range operations[:2] {
		is(t, op.name, op.do(t.Context(), st), store.ErrPrecondition)
	}
	for _, token := range []store.Token{`"an-etag"`, "0", "-1"} { // 0 would ask for an absent key
		_, err := st.Put(t.Context(), "k", nil, token)
		is(t, "a token that is none here", err, store.ErrPrecondition)
	}
	if n.Load() != 2 {
		t.Errorf("%d requests, want 2", n.Load())
	}
}

// A 404 may mean the key or the bucket. If the server does not say which, one
// question more finds out, once.
func TestNotFound(t *testing.T) {
	for _, c := range []struct {
		name, message string
		bucket        int // status of a question about the bucket
		want          error
		requests      int64 // of the first get, and of a second one
	}{
		{"said: key", "No such object: bucket/k", 500, store.ErrNotExist, 2},
		{"said: bucket", "The specified bucket does not exist.", 500, store.ErrNoBucket, 2},
		{"unsaid: key", "Not Found", 200, store.ErrNotExist, 3},
		{"unsaid: bucket", "Not Found", 404, store.ErrNoBucket, 4},
		{"unsaid, listing forbidden", "Not Found", 403, store.ErrNotExist, 4},
		{"unsaid, then unavailable", "Not Found", 503, store.ErrUnavailable, 4},
	} {
		for _, text := range []bool{false, true} {
			st, n := fake(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/o") && c.bucket == 200:
					io.WriteString(w, "{}")
				case strings.HasSuffix(r.URL.Path, "/o"):
					refuse(w, c.bucket, "x", "about the bucket")
				case text:
					http.Error(w, c.message, 404)
				default:
					refuse(w, 404, "notFound", c.message)
				}
			})
			for range 2 {
				_, _, err := st.Get(t.Context(), "k", nil)
				is(t, c.name, err, c.want)
			}
			if n.Load() != c.requests {
				t.Errorf("%s: %d requests for two gets, want %d", c.name, n.Load(), c.requests)
			}
		}
	}
}

// A connection that ends after the request was read, also one that has been
// used before, which HTTP clients like to open again.
func TestCutConnections(t *testing.T) {
	for i, op := range operations {
		var n atomic.Int64
		var broken atomic.Bool
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if broken.Load() {
				n.Add(1)
				cut(w, r)
				return
			}
			refuse(w, 404, "notFound", "No such object: bucket/k")
		})
		if _, err := st.Stat(t.Context(), "warm"); !errors.Is(err, store.ErrNotExist) {
			t.Fatal(err)
		}
		broken.Store(true)
		err := op.do(t.Context(), st)
		if i >= changing {
			is(t, op.name, err, store.ErrUnavailable)
			continue
		}
		is(t, op.name, err, store.ErrUnknown)
		if n.Load() != 1 {
			t.Errorf("%s was sent %d times", op.name, n.Load())
		}
	}
}

// Answers that are not the server's: a page to log in at, as hotels have it.
func TestCaptivePortal(t *testing.T) {
	for i, op := range operations {
		st, n := fake(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>Welcome</html>") })
		err := op.do(t.Context(), st)
		switch {
		case i < changing && op.name != "delete":
			is(t, op.name+" with a page", err, store.ErrUnknown)
		default: // asking again would get the same page
			is(t, op.name+" with a page", err, errPlain)
		}
		if n.Load() != 1 {
			t.Errorf("%s: %d requests, want 1", op.name, n.Load())
		}
		st, n = fake(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })
		is(t, op.name+" redirected", op.do(t.Context(), st), errPlain)
		if n.Load() != 1 {
			t.Errorf("%s: followed the redirection", op.name)
		}
	}
}

// Nobody listens: a put has certainly not been applied.
func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	st := open(t, gcsstore.Options{Bucket: "bucket", Endpoint: l.Addr().String()})
	for _, op := range operations {
		is(t, op.name, op.do(t.Context(), st), store.ErrUnavailable)
	}
}

// Clause 16: the server has the request and does not answer.
func TestCancelledWhileWaiting(t *testing.T) {
	for i, op := range operations {
		ctx, cancel := context.WithCancel(t.Context())
		held := make(chan struct{})
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			cancel()
			<-held
		})
		err := op.do(ctx, st)
		close(held)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", op.name, err)
		}
		if errors.Is(err, store.ErrUnknown) != (i < changing) {
			t.Errorf("%s: %v: ErrUnknown is for what may have been applied", op.name, err)
		}
	}
}
