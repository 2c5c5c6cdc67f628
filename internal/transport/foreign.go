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

// Start returns the first bytes of an answer's body, at most 512, which stay
// to be read. It fails if the body breaks off before it has so many.
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

// Page reports whether an answer is a web page: something between here and the
// server wants a login, or what listens is a web server. A server of objects
// sends none; the errors 5xx of what stands before one are another matter,
// since they pass.
func Page(req *http.Request, resp *http.Response) bool {
	passes := resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode == http.StatusTooManyRequests
	object := media(req.Context()) && resp.StatusCode < 300 // which may be a page itself, but is not stored as one
	if passes || req.Method == http.MethodHead || object && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return false
	}
	start, err := Start(resp)
	start = bytes.ToLower(start)
	return err == nil && (bytes.Contains(start, []byte("<html")) || bytes.Contains(start, []byte("<!doctype html")))
}

// Foreign is what is said of an answer that is a web page, or another that no
// server of objects gives, with its status; remedy is what to do.
func (s Server) Foreign(status int) (remedy string, err error) {
	err = fmt.Errorf("that is no answer of a server of objects (HTTP status %d)", status)
	if status == http.StatusRequestEntityTooLarge {
		return "something before the server limits what is stored at once; it has to take bodies of 17 MiB (nginx: client_max_body_size)", err
	}
	if s.URL == s.with("http") && status == http.StatusBadRequest {
		return "it may want TLS: write the endpoint as " + s.with("https"), err
	}
	remedy = "what listens at " + s.URL + " is something else, or the network wants you to log in; check the endpoint and its port"
	if s.Proxy != "" {
		remedy += ", and the proxy at " + s.Proxy
	}
	return remedy, err
}

// Refused reports whether a proxy refused a request, which then has reached no
// server.
func Refused(err error) bool {
	var refused *proxyError
	return errors.As(err, &refused)
}
