package gcsstore_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/gcsstore"
)

// google is a server of objects and one of tokens, over TLS.
type google struct {
	*httptest.Server
	token    http.HandlerFunc            // nil gives a token
	asked    atomic.Int64                // requests for objects
	bearer   atomic.Pointer[string]      // Authorization of the last of them
	key      []byte                      // of a service account that gets its tokens here
	expected func(w http.ResponseWriter) // answer about objects; nil says 404
}

func newGoogle(t *testing.T) *google {
	t.Helper()
	g := &google{}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if g.token != nil {
				g.token(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"access_token": "TOKEN", "token_type": "Bearer", "expires_in": 3600}`)
			return
		}
		g.asked.Add(1)
		auth := r.Header.Get("Authorization")
		g.bearer.Store(&auth)
		if g.expected != nil {
			g.expected(w)
			return
		}
		refuse(w, 404, "notFound", "No such object: bucket/k")
	}))
	t.Cleanup(g.Close)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	g.key, err = json.Marshal(map[string]string{
		"type": "service_account", "client_email": "me@p.iam.gserviceaccount.com", "project_id": "p", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": g.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *google) options() gcsstore.Options {
	return gcsstore.Options{Bucket: "bucket", Endpoint: g.URL, Transport: g.Client().Transport}
}

func TestCredentials(t *testing.T) {
	g := newGoogle(t)
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, g.key, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_CLOUD_PROJECT", "")
	for name, set := range map[string]func(*gcsstore.Options){
		"file": func(o *gcsstore.Options) { o.CredentialsFile = file },
		"JSON": func(o *gcsstore.Options) { o.CredentialsJSON = g.key },
	} {
		o := g.options()
		set(&o)
		st := open(t, o)
		_, _, err := st.Get(t.Context(), "k", nil)
		is(t, name, err, store.ErrNotExist)
		if got := *g.bearer.Load(); got != "Bearer TOKEN" {
			t.Errorf("%s: the request was authorized by %q", name, got)
		}
		d := st.Describe()
		if !strings.Contains(d.Credentials, "me@p.iam.gserviceaccount.com") || d.Project != "p" || d.Endpoint != g.URL || d.Bucket != "bucket" {
			t.Errorf("%s: described as %+v", name, d)
		}
		if strings.Contains(fmt.Sprintf("%+v", d), "PRIVATE") {
			t.Errorf("%s: the description holds the key", name)
		}
	}
}

// What is refused names whose credentials it was, and what they lack.
func TestRefusedCredentials(t *testing.T) {
	g := newGoogle(t)
	o := g.options()
	o.CredentialsJSON = g.key
	st := open(t, o)
	g.expected = func(w http.ResponseWriter) {
		refuse(w, 403, "forbidden", "me@p.iam.gserviceaccount.com does not have storage.objects.delete access to the Google Cloud Storage object. Permission 'storage.objects.delete' denied on resource (or it may not exist).")
	}
	err := st.Delete(t.Context(), "k")
	is(t, "forbidden", err, fs.ErrPermission)
	for _, want := range []string{"service account me@p.iam", "need the permission storage.objects.delete on the bucket bucket", "roles/storage.objectUser"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
}

// A token is worth all that its owner may do, so it goes nowhere by itself.
func TestTokensStayAtHome(t *testing.T) {
	g := newGoogle(t)
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, g.key, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	_, _, err := open(t, g.options()).Get(t.Context(), "k", nil) // an endpoint in a URL that somebody sent
	is(t, "foreign endpoint", err, store.ErrNotExist)
	if got := *g.bearer.Load(); got != "" {
		t.Errorf("a host that is not Google's got %q", got)
	}
	o := gcsstore.Options{Bucket: "bucket", Endpoint: "http://storage.googleapis.com", CredentialsFile: file}
	if _, err := gcsstore.New(o); err == nil || !strings.Contains(err.Error(), "over http") {
		t.Errorf("credentials over http: %v", err)
	}
}

// Without a token nothing is sent, so a put was not applied; and a file that
// is missing here is no key that is missing there.
func TestNoToken(t *testing.T) {
	g := newGoogle(t)
	for name, c := range map[string]struct {
		token http.HandlerFunc
		want  error
		says  string
	}{
		"revoked": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			io.WriteString(w, `{"error": "invalid_grant", "error_description": "Invalid grant: account not found"}`)
		}, fs.ErrPermission, "gcloud auth application-default login"},
		"clock": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			io.WriteString(w, `{"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}`)
		}, fs.ErrPermission, "clock"},
		"unavailable": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) }, store.ErrUnavailable, "later"},
		"cut":         {cut, store.ErrUnavailable, "me@p.iam.gserviceaccount.com"},
	} {
		g.token = c.token
		o := g.options()
		o.CredentialsJSON = g.key
		for _, op := range operations {
			err := op.do(t.Context(), open(t, o))
			is(t, name+": "+op.name, err, c.want)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v does not say %q", name, err, c.says)
			}
		}
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	for _, op := range operations {
		err := op.do(t.Context(), open(t, gcsstore.Options{Bucket: "bucket", Transport: g.Client().Transport}))
		is(t, "no file: "+op.name, err, fs.ErrPermission)
		if err != nil && !strings.Contains(err.Error(), "GOOGLE_APPLICATION_CREDENTIALS") {
			t.Errorf("%v does not name the variable", err)
		}
	}
	if n := g.asked.Load(); n != 0 {
		t.Errorf("%d requests without a token", n)
	}
}

// Clause 16, while the token is being fetched: nothing was sent yet.
func TestCancelledWithoutToken(t *testing.T) {
	g := newGoogle(t)
	held := make(chan struct{})
	defer close(held)
	for _, op := range operations {
		ctx, cancel := context.WithCancel(t.Context())
		g.token = func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			cancel()
			<-held
		}
		o := g.options()
		o.CredentialsJSON = g.key
		is(t, op.name, op.do(ctx, open(t, o)), context.Canceled)
	}
	if n := g.asked.Load(); n != 0 {
		t.Errorf("%d requests without a token", n)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	notKey := filepath.Join(dir, "list.json")
	if err := os.WriteFile(notKey, []byte(`["x"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	for location, says := range map[string]string{
		"gs://":                              "3 to 63 characters",
		"gs://ab":                            "3 to 63 characters",
		"gs://UPPER":                         "3 to 63 characters",
		"gs://-abc":                          "3 to 63 characters",
		"gs://" + strings.Repeat("a", 64):    "3 to 63 characters",
		"gs://a." + strings.Repeat("a", 221): "3 to 63 characters",
		"gs://bucket/a//b":                   "other programs would change",
		"gs://bucket/a/../b":                 "other programs would change",
		"gs://bucket/" + strings.Repeat("p", 121):                "more than 120 bytes, or is not text",
		"gs://bucket/a%0Ab":                                      "more than 120 bytes, or is not text",
		"gs://bucket?region=eu":                                  `unknown option "region"`,
		"gs://bucket?anonymous=yes":                              "anonymous is true or false",
		"gs://bucket?endpoint=ftp://x":                           "of the form http://host:4443",
		"gs://bucket?endpoint=http://x/path":                     "of the form http://host:4443",
		"gs://bucket?endpoint=http://u:p@x":                      "of the form http://host:4443",
		"gs://bucket?credentials=" + dir + "/none.json":          "cannot read the file of credentials",
		"gs://bucket?credentials=" + notKey:                      "not the JSON of a key",
		"gs://bucket?anonymous=true&credentials=" + notKey:       "exclude each other",
		"gs://bucket?endpoint=127.0.0.1:1&credentials=" + notKey: "not sent over http",
	} {
		_, err := store.Open(t.Context(), location)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want something about %q", location, err, says)
		}
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v passes for an absent key", location, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, c := range []struct{ location, environment, endpoint, credentials string }{
		{"gs://bucket/p/q/", "", "https://storage.googleapis.com", "application default credentials"},
		{"gs://bucket/p/q", "127.0.0.1:4443", "http://127.0.0.1:4443", "none (an emulator"},
		{"gs://bucket/p/q", "http://127.0.0.1:4443/storage/v1/", "http://127.0.0.1:4443", "none (an emulator"},
		{"gs://bucket/p/q?endpoint=http://h:1", "127.0.0.1:4443", "http://h:1", "none (an emulator"},
		{"gs://bucket/p/q?anonymous=true", "", "https://storage.googleapis.com", "none (anonymous)"},
		{"gs://bucket/p/q?endpoint=https://storage.europe-west3.rep.googleapis.com", "", "https://storage.europe-west3.rep.googleapis.com", "application default credentials"},
		{"gs://bucket/p/q?endpoint=https://googleapis.com.evil.org", "", "https://googleapis.com.evil.org", "none (https://googleapis.com.evil.org is not Google's"},
	} {
		t.Setenv("STORAGE_EMULATOR_HOST", c.environment)
		st, err := store.Open(t.Context(), c.location)
		if err != nil {
			t.Errorf("%s: %v", c.location, err)
			continue
		}
		d := st.(*gcsstore.Store).Describe()
		if d.Endpoint != c.endpoint || !strings.HasPrefix(d.Credentials, c.credentials) || d.Bucket != "bucket" || d.Prefix != "p/q/" {
			t.Errorf("%s: %+v", c.location, d)
		}
	}
}
