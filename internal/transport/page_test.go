package transport

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
)

// endless writes text until the client hangs up.
func endless(status int, text string) http.HandlerFunc {
	text = strings.Repeat(text, 1+(64<<10)/len(text))
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		for {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
		}
	}
}

// get reads the answer of a guarded server.
func get(t *testing.T, handler http.HandlerFunc, object bool) (*http.Response, int64, error) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	ctx := t.Context()
	if object {
		ctx = Media(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := Guard(Base()).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	return resp, n, err
}

// An answer without an end is read no further than the longest that there is.
func TestEndlessAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		object     bool
		most       int64
	}{
		{"a page", "text ", false, maxPage},
		{"a page of elements", "<Contents/>", false, maxElements*11 + 64<<10},
		{"a page of JSON", "{},", false, maxElements*3 + 64<<10},
		{"an object", "text ", true, store.MaxBody},
		{"an object of XML", "<Contents/>", true, store.MaxBody},
	} {
		_, n, err := get(t, endless(200, tt.text), tt.object)
		if !errors.Is(err, ErrEndless) || n > tt.most || tt.object && n != tt.most {
			t.Errorf("%s: %d bytes, %v; want ErrEndless after %d", tt.name, n, err, tt.most)
		}
	}
}

// What is as long as the longest is read whole.
func TestLongestAnswers(t *testing.T) {
	for _, tt := range []struct {
		object bool
		size   int
	}{{false, maxPage}, {true, store.MaxBody}} {
		_, n, err := get(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush() // no Content-Length
			io.WriteString(w, strings.Repeat("x", tt.size))
		}, tt.object)
		if n != int64(tt.size) || err != nil {
			t.Errorf("object %t: %d bytes of %d, %v", tt.object, n, tt.size, err)
		}
	}
}

// The status of a refusal counts, however much is said besides.
func TestEndlessRefusal(t *testing.T) {
	resp, n, err := get(t, endless(503, "busy "), false)
	if resp.StatusCode != 503 || n != maxRefusal || err != nil {
		t.Errorf("status %d, %d bytes, %v", resp.StatusCode, n, err)
	}
}
