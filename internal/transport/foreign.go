package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Start returns the first bytes of an answer's body, at most 512. They are
// still returned by the next Read. It fails if reading them fails.
func Start(resp *http.Response) ([]byte, error) {
	body := bufio.NewReader(resp.Body)
	start, err := body.Peek(512)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{body, resp.Body}
	if err == io.EOF {
		err = nil
	}
	return start, err
}

// Page reports whether an answer is a web page. An object store sends none: the
// page comes from a network that requires a login, or from a web server. Pages
// of status 5xx do not count: a gateway sends them, and a retry may help.
func Page(req *http.Request, resp *http.Response) bool {
	passes := resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode == http.StatusTooManyRequests
	object := media(req.Context()) && resp.StatusCode < 300 // an object may be a page, but is not stored with that type
	if passes || req.Method == http.MethodHead || object && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return false
	}
	start, err := Start(resp)
	start = bytes.ToLower(start)
	return err == nil && (bytes.Contains(start, []byte("<html")) || bytes.Contains(start, []byte("<!doctype html")))
}

// Foreign returns the error for an answer that does not come from an object
// store, such as a web page, with its HTTP status; remedy is what to do.
func (s Server) Foreign(status int) (remedy string, err error) {
	err = fmt.Errorf("the answer does not come from an object store (HTTP status %d)", status)
	if status == http.StatusRequestEntityTooLarge {
		return "a gateway before the server limits the size of bodies; it has to accept 17 MiB (nginx: client_max_body_size)", err
	}
	if s.URL == s.with("http") && status == http.StatusBadRequest {
		return "it may require TLS: write the endpoint as " + s.with("https"), err
	}
	remedy = "the server at " + s.URL + " is something else, or the network requires a login; check the endpoint and its port"
	if s.Proxy != "" {
		remedy += ", and the proxy at " + s.Proxy
	}
	return remedy, err
}

// Refused reports whether a proxy refused a request. Then the request has
// reached no server.
func Refused(err error) bool {
	var refused *proxyError
	return errors.As(err, &refused)
}
