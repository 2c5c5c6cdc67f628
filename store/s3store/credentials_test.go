package s3store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/s3store"
)

// bareEnvironment hides whatever account the user has.
func bareEnvironment(t *testing.T) (dir string) {
	dir = t.TempDir()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	return dir
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a server for the length of a test and returns its URL.
func serve(t *testing.T, handler http.HandlerFunc) string {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// who is an S3 server that notes who asks, as key ID or key ID/session token.
type who struct {
	mu      sync.Mutex
	callers []string
	expired map[string]bool // session tokens that it refuses
}

func (s *who) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, cred, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(cred, "/")
	token := r.Header.Get("X-Amz-Security-Token")
	if token != "" {
		key += "/" + token
	}
	s.mu.Lock()
	s.callers = append(s.callers, key)
	refuse := s.expired[token]
	s.mu.Unlock()
	if refuse {
		refusal(w, r, 400, "ExpiredToken", "The provided token has expired.")
		return
	}
	w.Header().Set("ETag", `"x"`)
	w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
}

// role answers as the services that hand out credentials do, each time with
// others.
func role(n *int, life time.Duration) map[string]any {
	*n++
	return map[string]any{
		"Code": "Success", "AccessKeyId": fmt.Sprintf("ROLE%d", *n), "SecretAccessKey": "secret", "Token": fmt.Sprintf("session%d", *n),
		"Expiration": time.Now().Add(life).UTC().Format(time.RFC3339),
	}
}

func TestCredentials(t *testing.T) {
	shared := "[default]\naws_access_key_id=FILE\naws_secret_access_key=x\n[other]\naws_access_key_id=OTHER\naws_secret_access_key=x\naws_session_token=tok\n"
	container := func(t *testing.T) {
		n := 0
		t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in")
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "let me in" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			json.NewEncoder(w).Encode(role(&n, time.Hour))
		}))
	}
	environment := func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "ENV")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	}
	for _, tt := range []struct {
		name   string
		setup  func(t *testing.T, dir string)
		query  string
		caller string // empty: none are found, and the error says says
		source string
		says   string
	}{
		{name: "environment", caller: "ENV/tok", source: "environment", setup: func(t *testing.T, _ string) {
			environment(t)
			t.Setenv("AWS_SESSION_TOKEN", "tok")
		}},
		{name: "environment before all others", caller: "ENV", source: "environment", setup: func(t *testing.T, dir string) {
			environment(t)
			container(t)
			write(t, dir, "credentials", shared)
		}},
		{name: "default profile", caller: "FILE", source: "profile default", setup: func(t *testing.T, dir string) {
			write(t, dir, "credentials", shared)
		}},
		{name: "file before container", caller: "FILE", source: "profile default", setup: func(t *testing.T, dir string) {
			container(t)
			write(t, dir, "credentials", shared)
		}},
		{name: "AWS_PROFILE", caller: "OTHER/tok", source: "profile other", setup: func(t *testing.T, dir string) {
			write(t, dir, "credentials", shared)
			t.Setenv("AWS_PROFILE", "other")
		}},
		{name: "profile of the URL before the environment", query: "&profile=other", caller: "OTHER/tok", source: "profile other", setup: func(t *testing.T, dir string) {
			environment(t)
			write(t, dir, "credentials", shared)
		}},
		{name: "a profile that is not there", query: "&profile=absent", says: "profile absent", setup: func(t *testing.T, dir string) {
			environment(t)
			write(t, dir, "credentials", shared)
		}},
		{name: "a profile, and no file", query: "&profile=absent", says: `profile "absent" has no credentials: check its name`, setup: func(t *testing.T, _ string) {
			environment(t)
		}},
		{name: "a profile that assumes a role", says: "credential_process", setup: func(t *testing.T, dir string) {
			write(t, dir, "config", "[default]\nrole_arn=arn:aws:iam::123456789012:role/x\nsource_profile=other\n")
		}},
		{name: "process", caller: "PROC", source: "profile default", setup: func(t *testing.T, dir string) {
			if runtime.GOOS == "windows" {
				t.Skip("the process is a shell script")
			}
			script := write(t, dir, "process.sh", `echo '{"Version": 1, "AccessKeyId": "PROC", "SecretAccessKey": "x", "Expiration": "2999-01-01T00:00:00Z"}'`)
			write(t, dir, "config", "[default]\ncredential_process = sh "+script+"\n")
		}},
		{name: "web identity", caller: "WEB/tok", source: "web identity", setup: func(t *testing.T, dir string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, dir, "jwt", "my-jwt"))
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
			t.Setenv("AWS_ENDPOINT_URL_STS", serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != "my-jwt" || r.FormValue("RoleArn") == "" {
					t.Errorf("STS is asked for %v", r.Form)
				}
				fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><SessionToken>tok</SessionToken><SecretAccessKey>x</SecretAccessKey><Expiration>%s</Expiration><AccessKeyId>WEB</AccessKeyId></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			}))
			write(t, dir, "credentials", shared)
		}},
		{name: "container role", caller: "ROLE1/session1", source: "container role", setup: func(t *testing.T, _ string) { container(t) }},
		{name: "instance role", caller: "ROLE1/session1", source: "instance role", setup: func(t *testing.T, _ string) {
			n := 0
			t.Setenv("AWS_EC2_METADATA_DISABLED", "")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
					fmt.Fprint(w, "v2-token")
				case r.Header.Get("X-aws-ec2-metadata-token") != "v2-token":
					w.WriteHeader(http.StatusUnauthorized)
				case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
					fmt.Fprint(w, "my-role")
				case strings.HasSuffix(r.URL.Path, "/security-credentials/my-role"):
					json.NewEncoder(w).Encode(role(&n, time.Hour))
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			}))
		}},
		{name: "anonymous", query: "&anonymous=true", caller: "", source: "none (anonymous)", setup: func(t *testing.T, _ string) { environment(t) }},
		{name: "none", says: "no credentials: set $AWS_ACCESS_KEY_ID", setup: func(*testing.T, string) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.setup(t, bareEnvironment(t))
			server := &who{}
			st := open(t, "s3://bucket/a/b?endpoint="+serve(t, server.ServeHTTP)+tt.query).(*s3store.Store)
			_, err := st.Stat(t.Context(), "k")
			if tt.says != "" {
				if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), tt.says) || len(server.callers) > 0 {
					t.Errorf("%v, asked by %q; want an error that says %q", err, server.callers, tt.says)
				}
				if _, err := st.Put(t.Context(), "k", nil, store.Absent); !errors.Is(err, fs.ErrPermission) || errors.Is(err, store.ErrUnknown) {
					t.Errorf("put: %v", err)
				}
				return
			}
			if err != nil || len(server.callers) != 1 || server.callers[0] != tt.caller {
				t.Errorf("asked by %q, want %q (%v)", server.callers, tt.caller, err)
			}
			d := st.Describe()
			if d.Credentials != tt.source || d.Bucket != "bucket" || d.Prefix != "a/b/" || d.Region != "us-east-1" || !d.PathStyle {
				t.Errorf("it describes itself as %+v", d)
			}
		})
	}
}

// Credentials that run out in the middle of a transfer are replaced before
// they do, and also when the server says so first.
func TestCredentialsRenewed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		life    time.Duration
		expired map[string]bool
		want    string
	}{
		{"before they expire", -time.Second, nil, "ROLE1/session1 ROLE2/session2 ROLE3/session3"},
		{"when the server says so", time.Hour, map[string]bool{"session1": true}, "ROLE1/session1 ROLE2/session2 ROLE2/session2 ROLE2/session2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bareEnvironment(t)
			n := 0
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, r *http.Request) {
				json.NewEncoder(w).Encode(role(&n, tt.life))
			}))
			server := &who{expired: tt.expired}
			st := wrapstore.Retry(open(t, "s3://bucket?endpoint="+serve(t, server.ServeHTTP)), wrapstore.RetryPolicy{})
			for range 3 {
				if _, err := st.Put(t.Context(), "k", []byte("x"), store.Absent); err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.Join(server.callers, " "); got != tt.want {
				t.Errorf("asked by %s, want %s", got, tt.want)
			}
		})
	}
}

// Region and endpoint: the URL, the environment, the profile, in this order.
func TestWhere(t *testing.T) {
	dir := bareEnvironment(t)
	write(t, dir, "config", "[default]\nregion=eu-west-3\nendpoint_url=http://profile:1\n")
	describe := func(query string) string {
		d := open(t, "s3://bucket"+query).(*s3store.Store).Describe()
		return fmt.Sprint(d.Endpoint, " ", d.Region, " ", d.PathStyle)
	}
	steps := []struct{ name, value, query, want string }{
		{"", "", "", "http://profile:1 eu-west-3 true"},
		{"AWS_DEFAULT_REGION", "eu-west-2", "", "http://profile:1 eu-west-2 true"},
		{"AWS_REGION", "eu-west-1", "", "http://profile:1 eu-west-1 true"},
		{"AWS_ENDPOINT_URL", "https://s3.example.com", "", "https://s3.example.com eu-west-1 true"},
		{"AWS_ENDPOINT_URL_S3", "https://10.0.0.1:9000", "", "https://10.0.0.1:9000 eu-west-1 true"},
		{"", "", "?endpoint=minio.example.com&region=x&path_style=false", "https://minio.example.com x false"},
	}
	for _, s := range steps {
		if s.name != "" {
			t.Setenv(s.name, s.value)
		}
		if got := describe(s.query); got != s.want {
			t.Errorf("with %s=%s and %q it is %s, want %s", s.name, s.value, s.query, got, s.want)
		}
	}
	bareEnvironment(t)
	if got := describe(""); got != "https://s3.amazonaws.com  false" {
		t.Errorf("by default it is %s", got)
	}
}
