package s3store

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

// failure is an error of the client library, with what is needed to translate
// it.
type failure struct {
	s       *Store
	ctx     context.Context
	op, key string
	err     error
	ex      *exchange
}

// is returns the failure as an error of the given kind, with a remedy.
// Either may be missing.
func (f failure) is(kind error, remedy string, args ...any) error {
	if remedy = fmt.Sprintf(remedy, args...); remedy != "" {
		remedy = "; " + remedy
	}
	what := strings.TrimSpace(f.op + " " + f.key) // a listing of all keys has no key
	if kind == nil {
		return fmt.Errorf("%s: %w%s", what, f.err, remedy)
	}
	// Not wrapped: a time-out of the network is also a
	// context.DeadlineExceeded, but the context of the call has not ended.
	return fmt.Errorf("%s: %w: %v%s", what, kind, f.err, remedy)
}

// absent reports whether the server says that the key does not exist. The
// client library gives an answer without a body the first of these codes.
func absent(resp minio.ErrorResponse) bool {
	return resp.StatusCode == http.StatusNotFound && (resp.Code == minio.NoSuchKey || resp.Code == "NotFound" || resp.Code == "NoSuchVersion")
}

// readError translates the error of a call that changes nothing.
func (s *Store) readError(ctx context.Context, op, key string, err error, ex *exchange) error {
	f := failure{s, ctx, op, key, err, ex}
	switch {
	case ex.foreign:
		return s.foreign(op, key, ex, nil)
	case absent(minio.ToErrorResponse(err)):
		return fmt.Errorf("%s %s: %w", op, key, store.ErrNotExist)
	}
	return f.translate()
}

// writeError translates the error of a put or a delete into one of its
// outcomes.
func (s *Store) writeError(ctx context.Context, op, key string, err error, ex *exchange, match store.Token) error {
	resp := minio.ToErrorResponse(err)
	f := failure{s, ctx, op, key, err, ex}
	switch {
	case ex.foreign:
		return s.foreign(op, key, ex, nil)
	case match != store.Absent && absent(resp):
		return fmt.Errorf("%s %s: %w", op, key, errNoKey)
	case resp.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("%s %s: %w", op, key, store.ErrPrecondition)
	case resp.StatusCode == http.StatusTooManyRequests, resp.Code == "RequestTimeout",
		resp.StatusCode == http.StatusConflict && conflicts[resp.Code]:
		return f.is(store.ErrRetry, "")
	case resp.StatusCode >= 500 && !final[resp.StatusCode], resp.StatusCode == http.StatusRequestTimeout:
		// Also 503 and 408, which a proxy may send after the server has
		// applied the change.
		return f.is(store.ErrUnknown, "")
	case resp.StatusCode == 0 && ex.changed.Load() && !transport.Refused(err): // no answer, or an answer that cannot be read
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrUnknown, ctx.Err())
		}
		return f.is(transport.Stalled(store.ErrUnknown, err), "")
	}
	return f.translate()
}

// final are the answers 5xx that are permanent and mean that nothing was
// changed.
var final = map[int]bool{
	http.StatusNotImplemented: true, http.StatusInsufficientStorage: true, http.StatusNetworkAuthenticationRequired: true,
}

// conflicts are the codes of the answers 409 after which a retry may succeed.
// The client library gives an answer without a body the last code but one. The
// last code comes from the Versity gateway when a directory is made or pruned
// at the same moment. It cannot mean a real conflict, since no key of a store
// is a path prefix of another.
var conflicts = map[string]bool{
	"ConditionalRequestConflict": true, "OperationAborted": true, minio.Conflict: true, "ExistingObjectIsDirectory": true,
}

// maxSaid is how many bytes of a server's text an error repeats.
const maxSaid = 300

// translate finds the kind of an error, and adds what to do about it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (f failure) translate() error {
	s, resp := f.s, minio.ToErrorResponse(f.err)
	if len(resp.Message) > maxSaid {
		resp.Message = resp.Message[:maxSaid] + "..."
		f.err = resp
	}
	switch resp.Code {
	case minio.NoSuchBucket:
		return f.is(store.ErrNoBucket, "there is no bucket %q at %s; check its name and the endpoint, or create it (mindreg init --create-bucket)",
			s.bucket, s.endpoint.url())
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		return f.expired()
	case "RequestTimeTooSkewed":
		return f.skewed()
	case "SignatureDoesNotMatch":
		return f.is(fs.ErrPermission, "the secret key does not belong to the access key (credentials: %s)", s.account.source())
	case "InvalidAccessKeyId", "XAdminUserNotFound", "InvalidToken", "InvalidClientTokenId":
		return f.is(fs.ErrPermission, "%s does not know this access key (credentials: %s)", s.endpoint.url(), s.account.source())
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "InvalidRegion", "IllegalLocationConstraintException":
		return f.otherRegion(resp)
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "RequestTimeout", minio.InternalError:
		return f.is(store.ErrUnavailable, "")
	}
	unsaid := f.op == "stat" || f.op == "time" // an answer to HEAD has no body
	switch status := resp.StatusCode; {
	case status == 0 && resp.Code != "": // the client library cannot parse the answer
		f.err = fmt.Errorf("the answer does not come from an S3 server: %w", f.err)
		return f.is(nil, "check the endpoint, %s", s.endpoint.url())
	case status == http.StatusConflict && conflicts[resp.Code]:
		return f.is(store.ErrUnavailable, "")
	case status == http.StatusForbidden && unsaid && !f.ex.date.IsZero() && time.Since(f.ex.date).Abs() > 14*time.Minute:
		return f.skewed()
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return f.is(fs.ErrPermission, "this needs the permission %s on %s/%s* (credentials: %s)", rights[f.op], s.bucket, s.prefix, s.account.source())
	case status == http.StatusBadRequest && unsaid && resp.Region != "" && resp.Region != s.region:
		return f.otherRegion(resp)
	case status == http.StatusBadRequest && unsaid:
		return f.is(nil, "the answer gives no reason; it may be expired credentials, a wrong region, or no S3 server at %s; mindreg doctor finds out more", s.endpoint.url())
	case f.ex.moved != "":
		return f.elsewhere()
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect:
		return f.otherRegion(resp)
	case status >= 300 && status < 400:
		f.err = fmt.Errorf("HTTP status %d", status)
		return f.is(nil, "%s answers with a redirection; check the endpoint and proxies", s.endpoint.url())
	case status == http.StatusBadRequest && strings.Contains(resp.Message, "HTTPS server"):
		return f.is(nil, "the server wants TLS; write the endpoint as https://%s", s.endpoint.host)
	case status == http.StatusNotImplemented, resp.Code == "NotImplemented": // Alibaba's OSS says so with 400
		return f.is(errors.ErrUnsupported, "%s lacks an operation that a registry needs, such as conditional puts", s.endpoint.url())
	case status == http.StatusInsufficientStorage:
		return f.is(nil, "the disks of the server are full, or nearly; free some of their space")
	case status == http.StatusNetworkAuthenticationRequired:
		return f.is(nil, "the network requires a login before it passes requests")
	case status == http.StatusRequestEntityTooLarge:
		remedy, _ := s.server.Foreign(status)
		return f.is(nil, "%s", remedy)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return f.is(store.ErrUnavailable, "")
	case status >= 400:
		return f.is(nil, "")
	}
	return f.network()
}

// rights are the permissions that each call needs on AWS and servers like it.
// Without the permission to list, the answer for an absent key is a refusal.
var rights = map[string]string{
	"get": "s3:GetObject (and s3:ListBucket)", "stat": "s3:GetObject (and s3:ListBucket)", "time": "s3:GetObject (and s3:ListBucket)",
	"put": "s3:PutObject", "delete": "s3:DeleteObject", "list": "s3:ListBucket", "create bucket": "s3:CreateBucket",
}

func (f failure) otherRegion(resp minio.ErrorResponse) error {
	if resp.Region != "" && resp.Region != f.s.region {
		return f.is(nil, "the bucket is in another region than %q: say ?region=%s", f.s.region, resp.Region)
	}
	return f.is(nil, "the bucket is in another region than %q: say which with ?region=", f.s.region)
}

func (f failure) skewed() error {
	return f.is(fs.ErrPermission, "the clock of this machine is wrong: it shows %s, that of the server %s; set it",
		time.Now().UTC().Format(time.RFC3339), f.ex.date.Format(time.RFC3339))
}

// elsewhere translates a redirection that does not come from an S3 server.
func (f failure) elsewhere() error {
	f.err = fmt.Errorf("%s redirects to %.200q instead of answering", f.s.endpoint.url(), f.ex.moved)
	if u, err := url.Parse(f.ex.moved); err == nil && u.Scheme == "https" && !f.s.endpoint.secure && strings.EqualFold(u.Hostname(), f.s.server.Host()) {
		return f.is(nil, "write the endpoint as https://%s", u.Host)
	}
	return f.is(nil, "check the endpoint, and whether the network requires a login")
}

// foreign returns the error for an answer that does not come from an S3 server.
func (s *Store) foreign(op, key string, ex *exchange, kind error) error {
	f := failure{s: s, op: op, key: key}
	if ex.moved != "" {
		f.ex = ex
		return f.elsewhere()
	}
	remedy, err := s.server.Foreign(ex.status)
	f.err = err
	return f.is(kind, "%s", remedy)
}

// expired drops the cached credentials, after the server has called them
// expired, so that the next request gets new ones.
func (f failure) expired() error {
	s := f.s
	cc := &credentials.CredContext{Context: f.ctx}
	used := func() bool {
		v, err := s.creds.GetWithContext(cc)
		return err != nil || v.SessionToken == f.ex.token
	}
	if used() { // no other call has renewed them meanwhile
		s.creds.Expire()
		if used() {
			return f.is(fs.ErrPermission, "renew the credentials (%s)", s.account.source())
		}
	}
	return f.is(store.ErrRetry, "")
}

// network translates the error of a call without an answer.
func (f failure) network() error {
	if err := f.ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", f.op, f.key, err)
	}
	var creds *credentialsError
	var syntax *xml.SyntaxError
	var root xml.UnmarshalError
	if errors.As(f.err, &creds) {
		return f.is(transport.Stalled(creds.kind(), f.err), "")
	}
	if ue := (*url.Error)(nil); errors.As(f.err, &ue) {
		f.err = ue.Err // the message names the operation and the key already
	}
	switch {
	case errors.Is(f.err, errListing):
		return f.is(nil, "")
	case errors.As(f.err, &root), errors.As(f.err, &syntax) && syntax.Msg != "unexpected EOF":
		f.err = fmt.Errorf("the answer does not come from an S3 server: %w", f.err)
		return f.is(nil, "check the endpoint, %s", f.s.endpoint.url())
	}
	fault := f.s.server.Explain(f.err)
	return f.is(fault.Kind, "%s", fault.Remedy)
}
