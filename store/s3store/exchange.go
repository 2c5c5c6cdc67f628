package s3store

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// exchange is what became of one call, below the client library.
type exchange struct {
	date    time.Time   // of the last answer
	token   string      // session token of the last request
	changed atomic.Bool // a request that changes something may have reached the server
}

type exchangeKey struct{}

// observe returns a context with which a call tells what becomes of it.
func observe(ctx context.Context) (context.Context, *exchange) {
	ex := new(exchange)
	return context.WithValue(ctx, exchangeKey{}, ex), ex
}

// tap sees every request and answer.
type tap struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t tap) RoundTrip(req *http.Request) (*http.Response, error) {
	ex, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return t.next.RoundTrip(req)
	}
	ex.token = req.Header.Get("X-Amz-Security-Token")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		// Until there is a connection, nothing can have been sent.
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { ex.changed.Store(true) },
		}))
	}
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		if date, derr := http.ParseTime(resp.Header.Get("Date")); derr == nil {
			ex.date = date.UTC()
		}
	}
	return resp, err
}
