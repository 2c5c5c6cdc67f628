package faultproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/faultproxy"
)

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  faultproxy.Fault
		served int    // requests that reach the server
		want   string // status and body; "" means that the client is hung up on
	}{
		{"none", faultproxy.Fault{}, 1, "201 PUT /path?q=1 me hello"},
		{"delay", faultproxy.Fault{Delay: time.Millisecond}, 1, "201 PUT /path?q=1 me hello"},
		{"lost", faultproxy.Fault{Lost: true}, 0, ""},
		{"drop", faultproxy.Fault{Drop: true}, 1, ""},
		{"late", faultproxy.Fault{Late: true, Delay: time.Millisecond}, 1, ""},
		{"twice", faultproxy.Fault{Twice: true}, 2, "202 PUT /path?q=1 me hello"},
		{"refused though applied", faultproxy.Fault{Status: 503, Code: "SlowDown"}, 1, "503 <Code>SlowDown</Code>"},
		{"refused", faultproxy.Fault{Lost: true, Status: 409, Code: "Conflict"}, 0, "409 <Code>Conflict</Code>"},
		{"cut", faultproxy.Fault{Cut: 3}, 1, ""},
		{"cut before the body", faultproxy.Fault{Cut: -1}, 1, ""},
		{"drip", faultproxy.Fault{Drip: time.Millisecond}, 1, "201 PUT /path?q=1 me hello"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var served atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := served.Add(1)
				body, _ := io.ReadAll(r.Body)
				w.WriteHeader(200 + int(n))
				fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.RequestURI(), r.Host, body)
			}))
			defer s.Close()
			p := faultproxy.Start(t, s.Listener.Addr().String(), func(*http.Request) faultproxy.Fault { return tt.fault })
			req, err := http.NewRequest("PUT", "http://"+p.Addr()+"/path?q=1", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "me"
			got := ""
			if resp, err := http.DefaultClient.Do(req); err == nil {
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil {
					got = fmt.Sprint(resp.StatusCode, " ", string(body))
				}
			}
			p.Settle()
			status, says, _ := strings.Cut(tt.want, " ")
			if !strings.HasPrefix(got, status) || !strings.Contains(got, says) || tt.want == "" && got != "" {
				t.Errorf("the client got %q, want %q", got, tt.want)
			}
			if int(served.Load()) != tt.served {
				t.Errorf("the server got %d requests, want %d", served.Load(), tt.served)
			}
		})
	}
}

func TestRandomIsSeeded(t *testing.T) {
	a, b, c := faultproxy.Random(1, 0.2), faultproxy.Random(1, 0.2), faultproxy.Random(2, 0.2)
	faults, same := 0, 0
	for range 1000 {
		f := a(nil)
		if f != b(nil) {
			t.Fatal("the same seed makes other faults")
		}
		if f != (faultproxy.Fault{}) {
			faults++
		}
		if f == c(nil) {
			same++
		}
	}
	if faults < 100 || faults > 300 || same == 1000 {
		t.Errorf("%d faults in 1000, %d the same with another seed", faults, same)
	}
}
