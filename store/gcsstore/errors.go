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

// exchange is what became of one call, below the client library.
type exchange struct {
	ctx  context.Context
	date time.Time   // of the last answer
	sent atomic.Bool // a request may have reached the server
}

type exchangeKey struct{}

// watch returns a context with which a call tells what becomes of it.
func watch(ctx context.Context) (context.Context, *exchange) {
	ex := &exchange{ctx: ctx}
	return context.WithValue(ctx, exchangeKey{}, ex), ex
}

// tap notes whether a request got a connection, and the Date of each answer.
// It is below the authorisation, so that requests for tokens do not count.
type tap struct {
	next   http.RoundTripper
	traced bool // it tells when it has a connection
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
		ex.sent.Store(true) // who knows
	}
	req = req.Clone(ctx)
	if req.URL.Query().Get("alt") == "media" {
		// The bytes as they are stored, whatever the transport can decode.
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

// status is the HTTP status of a refusal, 0 for other errors and none.
func status(err error) int {
	var ge *googleapi.Error
	if errors.As(err, &ge) {
		return ge.Code
	}
	return 0
}

// refusal returns what the server said, or nil if it said nothing.
func refusal(err error) *googleapi.Error {
	var ge *googleapi.Error
	if !errors.As(err, &ge) {
		return nil
	}
	if ge.Message == "" && ge.Body != "" { // the library does not read those of downloads
		if parsed := googleapi.CheckResponseWithBody(&http.Response{StatusCode: ge.Code, Header: ge.Header}, []byte(ge.Body)); parsed != nil {
			errors.As(parsed, &ge)
		}
	}
	return ge
}

// readError translates the failure of a call about one key that changes
// nothing.
func (s *Store) readError(ctx context.Context, op, key string, err error, ex *exchange) error {
	if status(err) == http.StatusNotFound {
		return s.notFound(ctx, op, key, err)
	}
	return s.translate(op, key, err, ex)
}

// listError translates the failure of a call about the bucket.
func (s *Store) listError(prefix string, err error, ex *exchange) error {
	if status(err) == http.StatusNotFound {
		return s.noBucket("list", prefix)
	}
	return s.translate("list", prefix, err, ex)
}

// notFound finds out what is missing, the key or the bucket. Google says it
// in words alone, and other servers not at all; so until the bucket has shown
// itself once it is asked for.
func (s *Store) notFound(ctx context.Context, op, key string, err error) error {
	said := refusal(err)
	switch text := said.Message + said.Body; {
	case strings.Contains(text, "bucket does not exist"):
		return s.noBucket(op, key)
	case strings.Contains(text, "No such object"), s.found.Load():
		return fmt.Errorf("%s %s: %w", op, key, store.ErrNotExist)
	}
	// Who may not list cannot tell, and is believed to have the right name.
	if err := s.reachable(ctx); err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return fmt.Errorf("%s %s: %w", op, key, store.ErrNotExist)
}

func (s *Store) noBucket(op, key string) error {
	return fmt.Errorf("%s %s: %w: there is no bucket %q at %s; check its name, or create it (mindreg init --create-bucket, or gcloud storage buckets create gs://%s)",
		op, key, store.ErrNoBucket, s.bucket, s.endpoint.root, s.bucket)
}

// putError translates the failure of a put: was it applied?
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

// writeError translates the failure of a call that changes something.
func (s *Store) writeError(op, key string, err error, ex *exchange) error {
	code := status(err)
	var page *pageError
	switch {
	case transport.Refused(err), errors.As(err, &page) && (page.status >= 300 || op == "delete"):
		// It was stopped on the way.
	case code == http.StatusNotImplemented, code == http.StatusInsufficientStorage, code == http.StatusNetworkAuthenticationRequired:
		// They do not pass, and say that nothing was done.
	case code == http.StatusConflict:
		return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrRetry, brief(err))
	case code >= 500, code == http.StatusRequestTimeout, code == 0 && ex.sent.Load():
		// Also 503: a proxy may say so after the server has done it. And no
		// answer, or none that could be read.
		if ex.ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrUnknown, brief(err))
		}
		return fmt.Errorf("%s %s: %w: %v", op, key, transport.Stalled(store.ErrUnknown, err), brief(err))
	}
	return s.translate(op, key, err, ex)
}

// translate names what both have in common, and the remedy.
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
		return fail(nil, "the network wants you to log in before it lets anything through")
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

// tooFast tells limits that Google reports as 403.
func tooFast(ge *googleapi.Error) bool {
	for _, e := range ge.Errors {
		if e.Reason == "rateLimitExceeded" || e.Reason == "userRateLimitExceeded" {
			return true
		}
	}
	return false
}

var permissionName = regexp.MustCompile(`\bstorage\.[a-zA-Z]+\.[a-zA-Z]+\b`)

// permission is the remedy when the server says that something is not
// allowed.
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

// brief is err in the server's own words, or without the URL of the request.
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

// networkError translates the failure to get any answer, or one that can be
// read. Errors of the network are not wrapped: a time-out there calls itself a
// context.DeadlineExceeded, and a refusal of the system fs.ErrPermission.
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
