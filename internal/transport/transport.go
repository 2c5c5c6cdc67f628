// Package transport is how the backends of buckets speak HTTP: what ends a
// request that makes no headway, what ends an answer that has no end, and what
// the failure to get an answer means.
package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// Base returns an http.Transport that gives up on a host that does not take a
// connection in seconds, and that says what a proxy answers. It uses the
// proxies that the environment names.
func Base() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true
	t.OnProxyConnectResponse = proxyAnswer
	return t
}

// Guard returns next with each request and its answer guarded:
//
//   - A request that makes no headway for Patience ends with an error that is
//     store.ErrStalled: while it connects, while its body is sent, while the
//     answer is waited for, and while that is read. Headway is the next step,
//     the next 16 KiB sent, the next KiB received.
//   - An answer longer than any that a store gives ends with ErrEndless. The
//     bytes of an object are more than those of other answers: see Media.
//   - A refusal, which is every answer but 2xx, is read before it is returned:
//     at most 64 KiB of it, in Patience.
//   - An answer 407, which only proxies give, is an error.
//
// Package net/http ends the request of a context that ends; next has to do so
// too.
func Guard(next http.RoundTripper) http.RoundTripper { return GuardFor(next, Patience) }

// GuardFor is Guard with another patience.
func GuardFor(next http.RoundTripper, patience time.Duration) http.RoundTripper {
	return &guard{next, patience}
}

type guard struct {
	next     http.RoundTripper
	patience time.Duration
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := watchOver(req.URL.Host, g.patience, cancel)
	resp, err := g.next.RoundTrip(w.watched(httptrace.WithClientTrace(ctx, w.trace()), req))
	if err != nil {
		defer w.end()
		return nil, w.why(err)
	}
	w.enter(reading)
	switch {
	case resp.Body == nil || resp.Body == http.NoBody:
		w.end()
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		defer w.end()
		if err := readRefusal(resp); err != nil {
			return nil, w.why(err)
		}
	default:
		resp.Body = &answer{limited(resp.Body, media(ctx)), w}
	}
	if resp.StatusCode == http.StatusProxyAuthRequired {
		resp.Body.Close()
		return nil, &proxyError{status: resp.StatusCode, said: resp.Status}
	}
	return resp, nil
}

// answer is a body that is watched.
type answer struct {
	io.ReadCloser
	w *watch
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.w.headway(n)
	switch {
	case err == io.EOF:
		a.w.rest()
	case err != nil:
		err = a.w.why(err)
	}
	return n, err
}

// Close implements io.Closer.
func (a *answer) Close() error {
	defer a.w.end()
	return a.ReadCloser.Close()
}
