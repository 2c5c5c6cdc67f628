package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mindtrace/registry/store"
)

// Server is the server that requests go to. Its methods explain errors.
type Server struct {
	URL   string // of the endpoint, without a slash at its end
	Proxy string // as Proxy returns it
}

// Host returns the name of the server in the form of $NO_PROXY.
func (s Server) Host() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return s.URL
	}
	return u.Hostname()
}

// with returns the server's URL with another scheme.
func (s Server) with(scheme string) string {
	_, rest, _ := strings.Cut(s.URL, "://")
	return scheme + "://" + rest
}

// Fault is the meaning of an error.
type Fault struct {
	Kind   error  // store.ErrUnavailable if a retry may help; fs.ErrPermission or nil if the user has to act
	Remedy string // what to do; may be empty
}

// Explain returns the meaning of the error of a request without a readable
// answer.
func (s Server) Explain(err error) Fault {
	if f, ok := s.proxyFault(err); ok {
		return f
	}
	var record tls.RecordHeaderError
	var op *net.OpError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var dns *net.DNSError
	switch {
	case errors.Is(err, store.ErrStalled):
		return Fault{Stalled(store.ErrUnavailable, err), fmt.Sprintf("%s is overloaded, or the network drops packets", s.URL)}
	case errors.Is(err, ErrEndless):
		return Fault{nil, fmt.Sprintf("the server at %s is not an object store, or is broken; check the endpoint", s.URL)}
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return Fault{nil, fmt.Sprintf("the server does not speak TLS; write the endpoint as %s", s.with("http"))}
	case errors.As(err, &record):
		return Fault{nil, fmt.Sprintf("the server at %s speaks neither TLS nor HTTP; check the endpoint and its port", s.URL)}
	case errors.As(err, &host):
		return Fault{nil, fmt.Sprintf("the certificate of %s is for other names; write the endpoint with a name in the certificate", s.URL)}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Fault{nil, fmt.Sprintf("the certificate of %s is not valid at this time; renew it on the server, or set the clock of this machine, which shows %s",
			s.URL, time.Now().UTC().Format(time.RFC3339))}
	case errors.As(err, &authority), errors.As(err, &invalid):
		return Fault{nil, fmt.Sprintf("the certificate of %s is not trusted; add its authority to those of the system, or name its file in $SSL_CERT_FILE", s.URL)}
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert
		return Fault{nil, fmt.Sprintf("%s refuses the TLS connection: it may require a client certificate, or support only old versions of TLS", s.URL)}
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`): // a TLS alert
		return Fault{nil, fmt.Sprintf("the server wants TLS; write the endpoint as %s", s.with("https"))}
	case strings.Contains(err.Error(), "malformed HTTP"):
		return Fault{nil, fmt.Sprintf("the server at %s does not speak HTTP; check the endpoint and its port", s.URL)}
	case errors.As(err, &dns) && dns.IsNotFound:
		return Fault{store.ErrUnavailable, fmt.Sprintf("there is no host %s; check the endpoint and the network", dns.Name)}
	case errors.As(err, &dns):
		return Fault{store.ErrUnavailable, fmt.Sprintf("the address of %s cannot be looked up; check the network and its name servers", dns.Name)}
	}
	remedy := fmt.Sprintf("is a server listening at %s?", s.URL)
	if s.Proxy == "" {
		for _, name := range []string{"ALL_PROXY", "all_proxy"} {
			if os.Getenv(name) != "" {
				remedy += fmt.Sprintf(" $%s is not used; name the proxy in $HTTP_PROXY or $HTTPS_PROXY if one is needed", name)
				break
			}
		}
	} else {
		remedy += fmt.Sprintf(" The request went through the proxy at %s", s.Proxy)
	}
	return Fault{store.ErrUnavailable, remedy}
}

// Stalled returns kind. If err is store.ErrStalled, the result is that too.
func Stalled(kind, err error) error {
	if errors.Is(err, store.ErrStalled) {
		return stalledKind{kind}
	}
	return kind
}

// stalledKind is a kind of error that is also store.ErrStalled.
type stalledKind struct{ error }

// Unwrap returns the kind.
func (k stalledKind) Unwrap() error { return k.error }

// Is makes it store.ErrStalled.
func (k stalledKind) Is(target error) bool { return target == store.ErrStalled }
