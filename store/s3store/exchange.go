package s3store

import (
	"bufio"
	"bytes"
	"context"
	"io"
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
	foreign bool        // the last answer is none that an S3 server gives
	versity bool        // the server is the Versity gateway
	known   bool        // it says that it is a server which lists in the order of bytes
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
		ex.foreign = foreign(req, resp)
		server := resp.Header.Get("Server")
		ex.versity = server == "VERSITYGW"
		ex.known = server == "VERSITYGW" || server == "MinIO" || server == "AmazonS3"
	}
	return resp, err
}

// foreign recognizes servers of something else, whose 404 does not mean that a
// key is absent, nor their 200 that a listing is empty: the client library does
// not tell them from S3.
func foreign(req *http.Request, resp *http.Response) bool {
	root := "<Error"
	switch {
	case req.Method != http.MethodGet || resp.Header.Get("X-Amz-Request-Id") != "":
		return false
	case resp.StatusCode == http.StatusOK && req.URL.Query().Has("list-type"):
		root = "<ListBucketResult"
	case resp.StatusCode != http.StatusNotFound:
		return false
	}
	body := bufio.NewReader(resp.Body)
	start, _ := body.Peek(512) // less is all there is
	resp.Body = struct {
		io.Reader
		io.Closer
	}{body, resp.Body}
	return !bytes.Contains(start, []byte(root))
}
