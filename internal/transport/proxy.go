package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/mindtrace/registry/store"
)

// Proxy returns the proxy for requests to a URL, for people to read: its
// address, without credentials, and the variable that names it. It is empty if
// there is no proxy, or if t is not an *http.Transport.
func Proxy(t http.RoundTripper, target string) string {
	base, ok := t.(*http.Transport)
	u, err := url.Parse(target)
	if !ok || base.Proxy == nil || err != nil {
		return ""
	}
	p, err := base.Proxy(&http.Request{URL: u, Header: http.Header{}})
	if err != nil || p == nil {
		return ""
	}
	said := p.Scheme + "://" + p.Host
	name := strings.ToUpper(u.Scheme) + "_PROXY"
	for _, name := range []string{name, strings.ToLower(name)} {
		if os.Getenv(name) != "" {
			return said + " ($" + name + ")"
		}
	}
	return said
}

// proxyError is the refusal of a proxy.
type proxyError struct {
	status int
	said   string // "403 Forbidden"
}

func (e *proxyError) Error() string { return "the proxy answers " + e.said }

// proxyAnswer turns every answer to CONNECT other than 200 into an error. The
// error of net/http has only the text of the status, and does not say that it
// comes from the proxy.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{answer.StatusCode, answer.Status}
}

// proxyFault reports whether a request failed because of the proxy, and returns
// what that means.
func (s Server) proxyFault(err error) (Fault, bool) {
	at := "the proxy"
	if s.Proxy != "" {
		at = "the proxy at " + s.Proxy
	}
	var refused *proxyError
	var op *net.OpError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusProxyAuthRequired:
		return Fault{fs.ErrPermission, fmt.Sprintf("%s requires a name and password: write it as http://NAME:PASSWORD@HOST:PORT in the environment, or add %s to $NO_PROXY", at, s.Host())}, true
	case errors.As(err, &refused) && refused.status < 500:
		return Fault{nil, fmt.Sprintf("%s does not allow requests to %s; ask its administrator to allow them, or add that host to $NO_PROXY", at, s.Host())}, true
	case errors.As(err, &refused):
		return Fault{store.ErrUnavailable, fmt.Sprintf("%s cannot reach %s; check the endpoint, or add that host to $NO_PROXY", at, s.Host())}, true
	}
	for e := err; errors.As(e, &op); e = op.Err {
		if op.Op == "proxyconnect" {
			return Fault{store.ErrUnavailable, fmt.Sprintf("%s cannot be reached; check that it runs, remove it from the environment, or add %s to $NO_PROXY", at, s.Host())}, true
		}
	}
	return Fault{}, false
}
