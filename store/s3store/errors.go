package s3store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/mindtrace/registry/store"
)

// readError translates the failure of a call that changes nothing.
func (s *Store) readError(ctx context.Context, op, key string, err error, ex *exchange) error {
	resp := minio.ToErrorResponse(err)
	if resp.StatusCode == http.StatusNotFound && resp.Code != minio.NoSuchBucket {
		return fmt.Errorf("%s %s: %w", op, key, store.ErrNotExist)
	}
	return s.translate(ctx, op, key, err, ex)
}

// writeError translates the failure of a put or a delete: was it applied?
func (s *Store) writeError(ctx context.Context, op, key string, err error, ex *exchange, match store.Token) error {
	resp := minio.ToErrorResponse(err)
	switch {
	case resp.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("%s %s: %w", op, key, store.ErrPrecondition)
	case resp.StatusCode == http.StatusNotFound && resp.Code != minio.NoSuchBucket && match != store.Absent:
		return fmt.Errorf("%s %s: %w", op, key, store.ErrPrecondition) // If-Match on nothing
	case resp.StatusCode == http.StatusTooManyRequests, resp.Code == "RequestTimeout",
		resp.StatusCode == http.StatusConflict && conflicts[resp.Code]:
		return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrRetry, err)
	case resp.StatusCode >= 500:
		// Also 503: a proxy may say so after the server has done it.
		return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrUnknown, err)
	case resp.StatusCode == 0 && ex.changed.Load():
		// No answer, or none that could be read.
		return fmt.Errorf("%s %s: %w: %w", op, key, store.ErrUnknown, err)
	}
	return s.translate(ctx, op, key, err, ex)
}

// conflicts are the codes of those answers 409 that a repetition may turn
// into success. An answer without a body is made the last of them.
var conflicts = map[string]bool{"ConditionalRequestConflict": true, "OperationAborted": true, minio.Conflict: true}

// translate names what both have in common, and the remedy.
func (s *Store) translate(ctx context.Context, op, key string, err error, ex *exchange) error {
	resp := minio.ToErrorResponse(err)
	fail := func(kind error, remedy string) error {
		if remedy != "" {
			remedy = "; " + remedy
		}
		if kind == nil {
			return fmt.Errorf("%s %s: %w%s", op, key, err, remedy)
		}
		return fmt.Errorf("%s %s: %w: %w%s", op, key, kind, err, remedy)
	}
	switch resp.Code {
	case minio.NoSuchBucket:
		return fmt.Errorf("%s %s: %w: there is no bucket %q; check its name and the endpoint, or create it (mindreg init --create-bucket)", op, key, store.ErrNoBucket, s.bucket)
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		return s.renew(ctx, fail)
	case "RequestTimeTooSkewed":
		return fail(fs.ErrPermission, fmt.Sprintf("this machine's clock is off: it says %s, the server %s; set it", time.Now().UTC().Format(time.RFC3339), ex.date.Format(time.RFC3339)))
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound", "InvalidToken", "AccessDenied", "InvalidSecurity":
		return fail(fs.ErrPermission, fmt.Sprintf("credentials used: %s; bucket %s at %s", s.account.source(), s.bucket, s.endpoint.host))
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "InvalidRegion", "IllegalLocationConstraintException":
		return fail(nil, fmt.Sprintf("the bucket is in another region (tried %q, the server says %q); say which with ?region=", s.region, resp.Region))
	case "InternalError", "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "RequestTimeout":
		return fail(store.ErrUnavailable, "")
	}
	switch {
	case resp.StatusCode == http.StatusForbidden, resp.StatusCode == http.StatusUnauthorized:
		return fail(fs.ErrPermission, "credentials used: "+s.account.source())
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		return fail(store.ErrUnavailable, "")
	case resp.StatusCode >= 400:
		return fail(nil, "")
	}
	return s.networkError(err, fail)
}

// renew asks for credentials again, after the server has called the present
// ones expired.
func (s *Store) renew(ctx context.Context, fail func(error, string) error) error {
	cc := &credentials.CredContext{Context: ctx}
	before, _ := s.creds.GetWithContext(cc)
	s.creds.Expire()
	after, err := s.creds.GetWithContext(cc)
	if err != nil || after == before {
		return fail(fs.ErrPermission, "the credentials have expired; renew them ("+s.account.source()+")")
	}
	return fail(store.ErrRetry, "the credentials had expired and were renewed")
}

// networkError translates the failure to get any answer.
func (s *Store) networkError(err error, fail func(error, string) error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fail(nil, "")
	}
	var creds *credentialsError
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var dns *net.DNSError
	switch {
	case errors.As(err, &creds):
		return fail(nil, "")
	case errors.As(err, &record):
		return fail(nil, fmt.Sprintf("%s does not speak TLS; write the endpoint as http://%s", s.endpoint.host, s.endpoint.host))
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return fail(nil, fmt.Sprintf("the certificate of %s cannot be trusted; add its authority to the system's, or name it in $SSL_CERT_FILE", s.endpoint.host))
	case errors.As(err, &dns) && dns.IsNotFound:
		return fail(store.ErrUnavailable, fmt.Sprintf("there is no host %s; check the endpoint", dns.Name))
	}
	return fail(store.ErrUnavailable, "is a server listening at "+s.endpoint.host+"?")
}
