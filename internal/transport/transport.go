// Package transport has what s3store and gcsstore share for HTTP.
//
//	transport.go  Base: a transport with time-outs; Guard: limits for each request
//	stall.go      a request that makes no progress is ended
//	page.go       an answer that is too long is ended
//	foreign.go    answers that do not come from an object store
//	proxy.go      proxies, and errors that come from them
//	explain.go    Server.Explain: what the error of a request means, and what to do
package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// Base returns an http.Transport that gives up on a host that does not accept
// a connection within seconds, and that reports the answers of proxies. It uses
// the proxies of the environment.
func Base() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true
	t.OnProxyConnectResponse = proxyAnswer
	return t
}

// Guard returns next with limits for each request and its answer:
//
//   - A request that makes no progress for Patience ends with an error that is
//     store.ErrStalled: while it connects, sends its body, waits for the answer,
//     or reads it. Progress is the next of these phases, the next 16 KiB sent,
//     or the next KiB received.
//   - An answer that is longer than any answer of an object store ends with
//     ErrEndless. Objects have another limit than other answers: see Media.
//   - A refusal, which is every answer other than 2xx, is read before it is
//     returned: at most 64 KiB of it, within Patience.
//   - An answer 407, which only proxies send, is an error.
//
// next must end a request when its context ends, as package net/http does.
func Guard(next http.RoundTripper) http.RoundTripper { return GuardFor(next, Patience) }

// GuardFor is Guard with its own patience.
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

// answer is the watched body of an answer.
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
