package gcsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

// exchange records what happened to one call below the client library.
type exchange struct {
	ctx  context.Context
	date time.Time   // of the last answer
	sent atomic.Bool // a request may have reached the server
}

type exchangeKey struct{}

// watch returns a context whose call is recorded in the exchange.
func watch(ctx context.Context) (context.Context, *exchange) {
	ex := &exchange{ctx: ctx}
	return context.WithValue(ctx, exchangeKey{}, ex), ex
}

// tap is a transport that records whether a request got a connection, and the
// Date of each answer. It is below the authorisation, so that requests for
// tokens do not count.
type tap struct {
	next   http.RoundTripper
	traced bool // the transport below reports when it has a connection
}

// pageError is an answer that is a web page.
type pageError struct{ status int }

func (e *pageError) Error() string { return "the answer is a web page" }

func (t tap) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	ex, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return t.next.RoundTrip(req)
	}
	if t.traced {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { ex.sent.Store(true) },
		})
	} else {
		ex.sent.Store(true) // it may have been sent
	}
	req = req.Clone(ctx)
	if req.URL.Query().Get("alt") == "media" {
		// Ask for the bytes as they are stored, not decoded by the transport.
		req.Header.Set("Accept-Encoding", "identity")
	}
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		if date, derr := http.ParseTime(resp.Header.Get("Date")); derr == nil {
			ex.date = date.UTC()
		}
		if transport.Page(req, resp) {
			resp.Body.Close()
			return nil, &pageError{resp.StatusCode}
		}
	}
	return resp, err
}

// status returns the HTTP status of a refusal, and 0 for nil and other errors.
func status(err error) int {
	var ge *googleapi.Error
	if errors.As(err, &ge) {
		return ge.Code
	}
	return 0
}

// refusal returns the error answer of the server, or nil if there is none.
func refusal(err error) *googleapi.Error {
	var ge *googleapi.Error
	if !errors.As(err, &ge) {
		return nil
	}
	if ge.Message == "" && ge.Body != "" { // the library does not parse the error body of a download
		if parsed := googleapi.CheckResponseWithBody(&http.Response{StatusCode: ge.Code, Header: ge.Header}, []byte(ge.Body)); parsed != nil {
			errors.As(parsed, &ge)
		}
	}
	return ge
}

// readError translates the error of a call that reads one key.
func (s *Store) readError(ctx context.Context, op, key string, err error, ex *exchange) error {
	if status(err) == http.StatusNotFound {
		return s.notFound(ctx, op, key, err)
	}
	return s.translate(op, key, err, ex)
}

// listError translates the error of a call about the bucket.
func (s *Store) listError(prefix string, err error, ex *exchange) error {
	if status(err) == http.StatusNotFound {
		return s.noBucket("list", prefix)
	}
	return s.translate("list", prefix, err, ex)
}

// notFound finds out what is missing: the key or the bucket. Google says so
// only in the text of the error, and other servers not at all. So until the
// bucket is known to exist, notFound asks for it.
func (s *Store) notFound(ctx context.Context, op, key string, err error) error {
	said := refusal(err)
	switch text := said.Message + said.Body; {
	case strings.Contains(text, "bucket does not exist"):
		return s.noBucket(op, key)
	case strings.Contains(text, "No such object"), s.found.Load():
		return fmt.Errorf("%s %s: %w", op, key, store.ErrNotExist)
	}
	// Without the permission to list, this cannot be found out. Then the
	// bucket is assumed to exist.
	if err := s.reachable(ctx); err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return fmt.Errorf("%s %s: %w", op, key, store.ErrNotExist)
}

func (s *Store) noBucket(op, key string) error {
	return fmt.Errorf("%s %s: %w: there is no bucket %q at %s; check its name, or create it (mindreg init --create-bucket, or gcloud storage buckets create gs://%s)",
		op, key, store.ErrNoBucket, s.bucket, s.endpoint.root, s.bucket)
}

// putError translates the error of a put into one of its outcomes.
func (s *Store) putError(ctx context.Context, key string, err error, ex *exchange, match store.Token) error {
	switch {
	case status(err) == http.StatusPreconditionFailed:
		s.found.Store(true)
		return fmt.Errorf("put %s: %w", key, store.ErrPrecondition)
	case status(err) == http.StatusNotFound && match != store.Absent:
		if err := s.notFound(ctx, "put", key, err); !errors.Is(err, store.ErrNotExist) {
			return err
		}
		return fmt.Errorf("put %s: %w", key, store.ErrPrecondition)
	case status(err) == http.StatusNotFound:
		return s.noBucket("put", key)
	}
	return s.writeError("put", key, err, ex)
}

// writeError translates the error of a call that changes something.
func (s *Store) writeError(op, key string, err error, ex *exchange) error {
	code := status(err)
	var page *pageError
	switch {
	case transport.Refused(err), errors.As(err, &page) && (page.status >= 300 || op == "delete"):
		// It never reached the storage.
	case code == http.StatusNotImplemented, code == http.StatusInsufficientStorage, code == http.StatusNetworkAuthenticationRequired:
		// These are permanent, and mean that nothing was changed.
	case code == http.StatusConflict:
		return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrRetry, brief(err))
	case code >= 500, code == http.StatusRequestTimeout, code == 0 && ex.sent.Load():
		// Also 503, which a proxy may send after the server has applied the
		// change; and no answer, or an answer that could not be read.
		if ex.ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrUnknown, brief(err))
		}
		return fmt.Errorf("%s %s: %w: %v", op, key, transport.Stalled(store.ErrUnknown, err), brief(err))
	}
	return s.translate(op, key, err, ex)
}

// translate translates the errors that reads and writes have in common, and
// adds the remedy.
func (s *Store) translate(op, key string, err error, ex *exchange) error {
	fail := func(kind error, remedy string) error {
		if remedy != "" {
			remedy = "; " + remedy
		}
		if kind == nil {
			return fmt.Errorf("%s %s: %w%s", op, key, brief(err), remedy)
		}
		return fmt.Errorf("%s %s: %w: %w%s", op, key, kind, brief(err), remedy)
	}
	said := refusal(err)
	if said == nil {
		return s.networkError(op, key, err, ex)
	}
	switch code := said.Code; {
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && tooFast(said):
		return fail(store.ErrRetry, "")
	case code == http.StatusForbidden, code == http.StatusUnauthorized:
		return fail(fs.ErrPermission, s.permission(said))
	case code == http.StatusNotImplemented:
		return fail(errors.ErrUnsupported, s.endpoint.root+" cannot do what a registry needs")
	case code == http.StatusInsufficientStorage:
		return fail(nil, "the disks of the server are full, or nearly; free some of their space")
	case code == http.StatusNetworkAuthenticationRequired:
		return fail(nil, "the network requires a login before it passes requests")
	case code == http.StatusRequestEntityTooLarge:
		remedy, _ := s.server.Foreign(code)
		return fail(nil, remedy)
	case code >= 500, code == http.StatusRequestTimeout:
		return fail(store.ErrUnavailable, "")
	case code >= 300 && code < 400:
		return fail(nil, fmt.Sprintf("%s answers with a redirection to %q; check the endpoint and proxies", s.endpoint.root, said.Header.Get("Location")))
	}
	return fail(nil, "")
}

// tooFast reports whether the error is a rate limit, which Google may report
// with status 403.
func tooFast(ge *googleapi.Error) bool {
	for _, e := range ge.Errors {
		if e.Reason == "rateLimitExceeded" || e.Reason == "userRateLimitExceeded" {
			return true
		}
	}
	return false
}

var permissionName = regexp.MustCompile(`\bstorage\.[a-zA-Z]+\.[a-zA-Z]+\b`)

// permission returns the remedy when the server denies access.
func (s *Store) permission(said *googleapi.Error) string {
	used := "credentials used: " + s.account.said()
	need := permissionName.FindString(said.Message + said.Body)
	switch {
	case s.account.none != "":
		return used + "; the bucket is not public, use credentials"
	case said.Code == http.StatusUnauthorized:
		return used + "; they were refused: log in again (gcloud auth application-default login), or set $" + adcVariable + " to another key file"
	case need != "":
		return fmt.Sprintf("%s; they need the permission %s on the bucket %s, for instance with the role Storage Object User (roles/storage.objectUser)", used, need, s.bucket)
	}
	return used + "; bucket " + s.bucket
}

// brief returns err as the server's own text, or without the request's URL.
func brief(err error) error {
	if ge := refusal(err); ge != nil {
		if ge.Message == "" {
			return fmt.Errorf("HTTP status %d: %.300q", ge.Code, ge.Body)
		}
		return fmt.Errorf("HTTP status %d: %.600s", ge.Code, ge.Message)
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// networkError translates the error of a call without a readable answer. It
// does not wrap errors of the network: there, a time-out is also a
// context.DeadlineExceeded, and a refusal of the system is fs.ErrPermission.
func (s *Store) networkError(op, key string, err error, ex *exchange) error {
	var creds *credentialsError
	var page *pageError
	var syntax *json.SyntaxError
	var value *json.UnmarshalTypeError
	if ex.ctx.Err() != nil || errors.As(err, &creds) {
		return fmt.Errorf("%s %s: %w", op, key, brief(err))
	}
	fault := transport.Fault{}
	switch {
	case errors.As(err, &page):
		fault.Remedy, err = s.server.Foreign(page.status)
	case errors.As(err, &syntax) && syntax.Error() != "unexpected end of JSON input", errors.As(err, &value):
		fault.Remedy, err = s.server.Foreign(http.StatusOK)
	default:
		fault = s.server.Explain(err)
	}
	if fault.Remedy != "" {
		fault.Remedy = "; " + fault.Remedy
	}
	if fault.Kind == nil {
		return fmt.Errorf("%s %s: %v%s", op, key, brief(err), fault.Remedy)
	}
	return fmt.Errorf("%s %s: %w: %v%s", op, key, fault.Kind, brief(err), fault.Remedy)
}
