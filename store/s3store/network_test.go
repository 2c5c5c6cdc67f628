package s3store_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/s3store"
)

// What comes between here and the server answers in its own way. It is told at
// once, as what it is, and changes nothing.
func TestAnswersOnTheWay(t *testing.T) {
	login := "<!DOCTYPE html><html><body>Please log in</body></html>"
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		kind   error // nil: neither unavailable nor absent
		says   string
		but    string // calls for which it is otherwise
	}{
		{"a page to log in at", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, login) }, nil, "the network requires a login", "create replace"},
		{"a page that refuses", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, login)
		}, nil, "the network requires a login", "stat now"},
		{"a redirection to a page", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://portal.example/login", http.StatusFound)
		}, nil, `redirects to "https://portal.example/login" instead of answering`, ""},
		{"a redirection to TLS", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:9443"+r.URL.Path, http.StatusMovedPermanently)
		}, nil, "write the endpoint as https://127.0.0.1:9443", ""},
		{"a network that wants a login", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(511) }, nil, "requires a login", ""},
		{"a proxy that wants one", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(407) }, fs.ErrPermission, "requires a name and password", ""},
		{"nginx before it", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(413)
			io.WriteString(w, "<html><title>413 Request Entity Too Large</title></html>")
		}, nil, "client_max_body_size", ""},
		{"TLS wanted", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			io.WriteString(w, "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>")
		}, nil, "write the endpoint as https://", "stat now"},
		{"full disks", func(w http.ResponseWriter, r *http.Request) {
			refusal(w, r, 507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.")
		}, nil, "disks of the server are full", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, requests := answering(t, tt.answer)
			for call, err := range everyCall(t.Context(), wrapstore.Retry(st, wrapstore.RetryPolicy{})) {
				if strings.Contains(tt.but, call) {
					continue
				}
				if err == nil || !strings.Contains(err.Error(), tt.says) || tt.kind != nil && !errors.Is(err, tt.kind) {
					t.Errorf("%s: %v; want one that is %v and says %q", call, err, tt.kind, tt.says)
				}
				for _, kind := range []error{store.ErrUnavailable, store.ErrUnknown, store.ErrRetry, store.ErrNotExist, store.ErrNoBucket, store.ErrPrecondition} {
					if errors.Is(err, kind) {
						t.Errorf("%s: %v; it is %q", call, err, kind)
					}
				}
			}
			if n := requests.Load(); n != 7 && tt.but == "" {
				t.Errorf("%d requests for seven calls", n)
			}
		})
	}
}

// A proxy that has lost patience passes: what reads is asked again, and what
// writes may have reached the server.
func TestTimeoutOnTheWay(t *testing.T) {
	for _, body := range []string{"", "<html><body><h1>408 Request Time-out</h1></body></html>"} {
		st, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestTimeout)
			io.WriteString(w, body)
		})
		for call, err := range everyCall(t.Context(), st) {
			want := store.ErrUnavailable
			if call == "create" || call == "replace" || call == "delete" {
				want = store.ErrUnknown
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", call, err, want)
			}
		}
	}
}

// A put that is answered with a page may have reached the server.
func TestPutAnsweredWithAPage(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>Welcome</html>") })
	if _, err := st.Put(t.Context(), "k", []byte("x"), store.Absent); !errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), "does not come from an object store") {
		t.Error(err)
	}
}

// No bucket is made by a page that says welcome.
func TestMakeBucketAnsweredWithAPage(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>Welcome</html>") })
	if err := st.MakeBucket(t.Context()); err == nil || !strings.Contains(err.Error(), "does not come from an object store") {
		t.Error(err)
	}
}

// An object that is a web page is an object.
func TestObjectThatIsAPage(t *testing.T) {
	const page = "<!DOCTYPE html><html></html>"
	st, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
		w.Header().Set("Content-Type", "application/octet-stream")
		io.WriteString(w, page)
	})
	if body, _, err := st.Get(t.Context(), "k", nil); string(body) != page || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

// An answer to HEAD has no body that could name the clock; its Date does.
func TestClockOffWithoutBody(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-20*time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(403)
	})
	if _, err := st.Stat(t.Context(), "k"); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "the clock of this machine is wrong") {
		t.Error(err)
	}
}

// Neither could it name the region, which a header does.
func TestOtherRegionWithoutBody(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
		w.WriteHeader(400)
	})
	if _, err := st.Stat(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "?region=eu-west-1") {
		t.Error(err)
	}
}

// Doctor asks in a way that is answered with the reason.
func TestInspectSaysWhy(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		refusal(w, r, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
	})
	if _, err := st.Inspect(t.Context()); err == nil || !strings.Contains(err.Error(), "the secret key does not belong to the access key") {
		t.Error(err)
	}
}

// White space at the ends of what people set is no part of it, wherever it
// comes from.
func TestWhiteSpace(t *testing.T) {
	for name, set := range map[string]func(t *testing.T, dir string) (profile string){
		"environment": func(t *testing.T, _ string) string {
			t.Setenv("AWS_ACCESS_KEY_ID", " KEY\n")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "x\r\n")
			t.Setenv("AWS_SESSION_TOKEN", "\ttok\n")
			return ""
		},
		"quoted in a file": func(t *testing.T, dir string) string {
			write(t, dir, "credentials", "[team]\naws_access_key_id=\"KEY \"\naws_secret_access_key=\" x\"\naws_session_token=\"tok \"\n")
			return "team\n"
		},
		"process": func(t *testing.T, dir string) string {
			if runtime.GOOS == "windows" {
				t.Skip("the process is a shell script")
			}
			script := write(t, dir, "process.sh", `echo '{"Version": 1, "AccessKeyId": "KEY ", "SecretAccessKey": " x", "SessionToken": "tok ", "Expiration": "2999-01-01T00:00:00Z"}'`)
			write(t, dir, "config", "[default]\ncredential_process = sh "+script+"\n")
			return ""
		},
		"container, with a token in a file": func(t *testing.T, dir string) string {
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", write(t, dir, "token", "let me in\n"))
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "let me in" {
					io.WriteString(w, `{"AccessKeyId": "KEY ", "SecretAccessKey": "x\n", "Token": "tok\n", "Expiration": "2999-01-01T00:00:00Z"}`)
				}
			}))
			return ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			profile := set(t, bareEnvironment(t))
			t.Setenv("AWS_REGION", "us-east-1\n")
			server := &who{}
			t.Setenv("AWS_ENDPOINT_URL", serve(t, server.ServeHTTP)+"\n")
			st, err := s3store.New(s3store.Options{Bucket: "bucket\n", Profile: profile})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := st.Stat(t.Context(), "k"); err != nil || len(server.callers) != 1 || server.callers[0] != "KEY/tok" {
				t.Errorf("asked by %q, %v", server.callers, err)
			}
		})
	}
}

// What cannot be meant, or is read by the client library itself, is named
// before anything is asked, and no secret is shown.
func TestWhiteSpaceIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(t *testing.T, dir string)
		says string
	}{
		"two lines": {func(t *testing.T, _ string) {
			t.Setenv("AWS_ACCESS_KEY_ID", "KEY")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t\ns3cr3t")
		}, "the secret key has a line break"},
		"a role": {func(t *testing.T, dir string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, dir, "jwt", "my-jwt"))
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x\n")
		}, "$AWS_ROLE_ARN begins or ends with white space"},
		"the path of a file": {func(t *testing.T, dir string) {
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", write(t, dir, "credentials", "")+"\n")
		}, "$AWS_SHARED_CREDENTIALS_FILE begins or ends with white space"},
	} {
		t.Run(name, func(t *testing.T) {
			c.set(t, bareEnvironment(t))
			server := &who{}
			st := open(t, "s3://bucket?endpoint="+serve(t, server.ServeHTTP))
			errs := everyCall(t.Context(), st)
			wantAll(t, errs, fs.ErrPermission, c.says)
			for call, err := range errs {
				if strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("%s: %v shows the secret", call, err)
				}
			}
			if len(server.callers) > 0 {
				t.Errorf("asked by %q", server.callers)
			}
		})
	}
}
