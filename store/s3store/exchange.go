package s3store

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/mindtrace/registry/internal/transport"
)

// exchange records what happened to one call below the client library.
type exchange struct {
	date    time.Time   // of the last answer
	token   string      // session token of the last request
	changed atomic.Bool // a request that changes something may have reached the server
	status  int         // of the last answer
	foreign bool        // that answer does not come from an S3 server
	moved   string      // the target of a redirection that does not come from an S3 server
	versity bool        // the server is the Versity gateway
	known   bool        // the server's name is one of those that list in the order of bytes

	progress // of this call, if it is a listing
}

type exchangeKey struct{}

// observe returns a context whose call is recorded in the exchange.
func observe(ctx context.Context) (context.Context, *exchange) {
	ex := new(exchange)
	return context.WithValue(ctx, exchangeKey{}, ex), ex
}

// tap is a transport that records requests and answers.
type tap struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t tap) RoundTrip(req *http.Request) (*http.Response, error) {
	ex, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok || req.Header.Get("X-Amz-Sso_bearer_token") != "" { // a request for credentials
		return t.next.RoundTrip(req)
	}
	ex.token = req.Header.Get("X-Amz-Security-Token")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		// Before there is a connection, nothing can have been sent.
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { ex.changed.Store(true) },
		}))
	}
	if query := req.URL.Query(); query.Has("list-type") {
		if err := ex.page(query.Get("continuation-token")); err != nil {
			return nil, err
		}
	}
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		if date, derr := http.ParseTime(resp.Header.Get("Date")); derr == nil {
			ex.date = date.UTC()
		}
		ex.status, ex.moved = resp.StatusCode, ""
		if resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.Header.Get(requestID) == "" && resp.Header.Get("X-Amz-Bucket-Region") == "" {
			ex.moved = resp.Header.Get("Location")
		}
		ex.foreign = foreign(req, resp)
		server := resp.Header.Get("Server")
		ex.versity = server == "VERSITYGW"
		ex.known = server == "VERSITYGW" || server == "MinIO" || server == "AmazonS3"
	}
	return resp, err
}

const requestID = "X-Amz-Request-Id"

// foreign reports whether an answer comes from something other than an S3
// server. Its 404 does not mean that a key is absent, and its 200 does not mean
// that a listing is empty or that an object was stored or deleted. The client
// library does not notice the difference.
func foreign(req *http.Request, resp *http.Response) bool {
	root := "<Error"
	switch {
	case resp.Header.Get(requestID) != "":
		return false
	case transport.Page(req, resp):
		return true
	case req.Method == http.MethodHead && resp.StatusCode == http.StatusOK:
		return resp.Header.Get("Last-Modified") == ""
	case req.Method != http.MethodGet:
		return false
	case resp.StatusCode == http.StatusOK && req.URL.Query().Has("list-type"):
		root = "<ListBucketResult"
	case resp.StatusCode != http.StatusNotFound:
		return false
	}
	start, err := transport.Start(resp)
	return err == nil && !bytes.Contains(start, []byte(root))
}
