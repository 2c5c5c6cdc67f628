package transport

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// One connection carries many requests with HTTP/2: one that stalls ends alone.
func TestStallsOverHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			<-r.Context().Done()
		case "/answer":
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		case "/rest":
			io.Copy(io.Discard, r.Body)
			begun(200, hang)(w, r)
		}
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	base := Base()
	base.Proxy = nil
	base.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	base.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	for _, path := range []string{"/body", "/answer", "/rest", "/"} {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+path, bytes.NewReader(make([]byte, 4<<20)))
		if err != nil {
			t.Fatal(err)
		}
		patience := 200 * time.Millisecond
		if path == "/" {
			patience = time.Minute
		}
		resp, err := GuardFor(base, patience).RoundTrip(req)
		if err == nil {
			if resp.ProtoMajor != 2 {
				t.Fatalf("it speaks %s", resp.Proto)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if errors.Is(err, store.ErrStalled) == (path == "/") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
