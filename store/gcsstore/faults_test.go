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
	"net/url"
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
	_, err := st.Put(t.Context(), "k", nil, `"an-etag"`)
	is(t, "the token of another backend", err, store.ErrPrecondition)
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
		case op.name == "delete": // which has no answer but the status
		case i < changing:
			is(t, op.name+" with a page", err, store.ErrUnknown)
		case op.name == "get":
			is(t, op.name+" with a page", err, errPlain)
		default:
			is(t, op.name+" with a page", err, store.ErrUnavailable)
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

// object answers a download.
func object(w http.ResponseWriter, generation, body string, headers ...string) {
	w.Header().Set("X-Goog-Generation", generation)
	w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			w.Header().Del(headers[i])
		} else {
			w.Header().Set(headers[i], headers[i+1])
		}
	}
	if w.Header().Get("Content-Range") != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	io.WriteString(w, body)
}

// Clauses 12 and 14: answers that are damaged on the way are no answers.
func TestDamagedDownloads(t *testing.T) {
	const right = "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww==" // of "hello world"
	for _, c := range []struct {
		name    string
		opts    *store.GetOptions
		body    string
		headers []string
		want    string // body; "" for an error
		err     error
	}{
		{"right", nil, "hello world", []string{"X-Goog-Hash", right}, "hello world", nil},
		{"no checksum", nil, "hello world", nil, "hello world", nil},
		{"altered", nil, "hello w0rld", []string{"X-Goog-Hash", right}, "", errPlain},
		{"short", nil, "hello", []string{"Content-Length", "11"}, "", store.ErrUnavailable},
		{"range", &store.GetOptions{Offset: 6, Length: 3}, "wor", []string{"Content-Range", "bytes 6-8/11", "X-Goog-Hash", right}, "wor", nil},
		{"other range", &store.GetOptions{Offset: 6, Length: 3}, "hel", []string{"Content-Range", "bytes 0-2/11"}, "", errPlain},
		{"range ignored", &store.GetOptions{Offset: 6, Length: 3}, "hello world", []string{"X-Goog-Hash", right}, "wor", nil},
		{"range ignored, past the end", &store.GetOptions{Offset: 60}, "hello world", nil, "", nil},
		{"nonsense range", &store.GetOptions{Offset: 6}, "world", []string{"Content-Range", "bytes */*"}, "", errPlain},
		{"huge", &store.GetOptions{Offset: 6}, "", []string{"Content-Range", "bytes 6-99999999999/100000000000"}, "", errPlain},
		{"no generation", nil, "hello world", []string{"X-Goog-Generation", ""}, "", errPlain},
	} {
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) { object(w, "17", c.body, c.headers...) })
		body, info, err := st.Get(t.Context(), "k", c.opts)
		if c.err != nil {
			is(t, c.name, err, c.err)
			continue
		}
		if err != nil || string(body) != c.want || info.Size != 11 || info.Token != "17" {
			t.Errorf("%s: %q %+v %v", c.name, body, info, err)
		}
	}
}

// Modified is the time of creation, also when the metadata were edited since
// or the answer says no time; and still of the state that the bytes are of.
func TestModifiedOfEditedObject(t *testing.T) {
	for name, header := range map[string][]string{
		"edited":  {"X-Goog-Metageneration", "2"},
		"no time": {"Last-Modified", ""},
	} {
		stats := 0
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("alt") == "media" {
				object(w, fmt.Sprint(100+min(stats, 1)), fmt.Sprint("state ", min(stats, 1)), header...)
				return
			}
			stats++ // it is replaced before the first of these
			io.WriteString(w, `{"name": "k", "size": "7", "generation": "101", "timeCreated": "2026-10-01T09:00:00.789Z"}`)
		})
		body, info, err := st.Get(t.Context(), "k", nil)
		if err != nil || string(body) != "state 1" || info.Token != "101" || info.Modified.Format("2006-01-02 15:04:05.999") != "2026-10-01 09:00:00" {
			t.Errorf("%s: %q %+v %v", name, body, info, err)
		}
	}
}

func TestUnorderedListing(t *testing.T) {
	item := func(name string) string {
		return fmt.Sprintf(`{"name": %q, "size": "1", "generation": "5", "timeCreated": "2026-10-01T09:00:00Z"}`, name)
	}
	for _, c := range []struct {
		name   string
		pages  [][]string
		prefix string
		after  string
		keys   string // that are shown
		ok     bool
	}{
		{"in order", [][]string{{"a", "b"}, {"c"}}, "", "", "a b c", true},
		{"an empty page", [][]string{{"a"}, {}, {"b"}}, "", "", "a b", true},
		{"after is skipped", [][]string{{"a", "b"}}, "", "a", "b", true},
		{"not ours", [][]string{{"a", "a/", "b//c", "d"}}, "", "", "a d", true},
		{"backwards", [][]string{{"b", "a"}}, "", "", "b", false},
		{"backwards over pages", [][]string{{"b"}, {"a"}}, "", "", "b", false},
		{"twice", [][]string{{"a", "a"}}, "", "", "a", false},
		{"before after", [][]string{{"a"}}, "", "b", "", false},
		{"outside the prefix", [][]string{{"p/a", "q"}}, "p/", "", "p/a", false},
	} {
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			n := len(r.URL.Query().Get("pageToken"))
			var items []string
			for _, name := range c.pages[n] {
				items = append(items, item(name))
			}
			next := ""
			if n+1 < len(c.pages) {
				next = strings.Repeat("x", n+1)
			}
			fmt.Fprintf(w, `{"items": [%s], "nextPageToken": %q}`, strings.Join(items, ","), next)
		})
		var keys []string
		var err error
		for info, lerr := range st.List(t.Context(), c.prefix, c.after) {
			if err = lerr; err == nil {
				keys = append(keys, info.Key)
			}
		}
		if got := strings.Join(keys, " "); got != c.keys || (err == nil) != c.ok {
			t.Errorf("%s: %q, %v; want %q, ok %t", c.name, got, err, c.keys, c.ok)
		}
		if err != nil && !strings.Contains(err.Error(), "in order") {
			t.Errorf("%s: %v does not say what is wrong", c.name, err)
		}
	}
}

// A put carries what the server needs to refuse it.
func TestPutRequest(t *testing.T) {
	var query url.Values
	var sent string
	st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.Query()
		b, _ := io.ReadAll(r.Body)
		sent = string(b)
		io.WriteString(w, `{"name": "k", "size": "11", "generation": "101", "timeCreated": "2026-10-01T09:00:00.789Z"}`)
	})
	info, err := st.Put(t.Context(), "k", []byte("hello world"), store.Absent)
	if err != nil || info.Token != "101" || info.Size != 11 {
		t.Fatalf("%+v %v", info, err)
	}
	if query.Get("ifGenerationMatch") != "0" || query.Get("uploadType") != "multipart" {
		t.Errorf("a create asks for %v", query)
	}
	for _, want := range []string{`"crc32c":"yZRlqg=="`, `no-store`, "\r\n\r\nhello world\r\n"} {
		if !strings.Contains(sent, want) {
			t.Errorf("the request does not hold %q:\n%s", want, sent)
		}
	}
	if _, err := st.Put(t.Context(), "k", []byte("hello world"), "101"); err != nil || query.Get("ifGenerationMatch") != "101" {
		t.Errorf("a replacement asks for %v (%v)", query, err)
	}
	// Applied, says the server, but not all of it.
	_, err = st.Put(t.Context(), "k", []byte("hello world!"), "101")
	is(t, "stored short", err, store.ErrUnknown)
}
