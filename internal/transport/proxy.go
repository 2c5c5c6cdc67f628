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

// Proxy returns through which proxy requests for a URL go, for people: its
// address, without credentials, and the variable that names it. It is empty if
// there is none, or if t does not tell.
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

// proxyError is what a proxy answers instead of letting a request pass.
type proxyError struct {
	status int
	said   string // "403 Forbidden"
}

func (e *proxyError) Error() string { return "the proxy answers " + e.said }

// proxyAnswer makes an error of every answer to CONNECT but 200: the text of
// the status alone, which net/http makes of it, does not say who said it.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{answer.StatusCode, answer.Status}
}

// proxyFault tells whether a request failed because of the proxy, and if so
// what to do about it.
func (s Server) proxyFault(err error) (Fault, bool) {
	at := "the proxy"
	if s.Proxy != "" {
		at = "the proxy at " + s.Proxy
	}
	var refused *proxyError
	var op *net.OpError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusProxyAuthRequired:
		return Fault{fs.ErrPermission, fmt.Sprintf("%s wants a name and password: name it as http://NAME:PASSWORD@HOST:PORT in the environment, or name %s in $NO_PROXY", at, s.Host())}, true
	case errors.As(err, &refused) && refused.status < 500:
		return Fault{nil, fmt.Sprintf("%s does not let requests pass to %s; ask for that where the proxy is run, or name that host in $NO_PROXY", at, s.Host())}, true
	case errors.As(err, &refused):
		return Fault{store.ErrUnavailable, fmt.Sprintf("%s cannot reach %s; check the endpoint, or name that host in $NO_PROXY", at, s.Host())}, true
	}
	for e := err; errors.As(e, &op); e = op.Err {
		if op.Op == "proxyconnect" {
			return Fault{store.ErrUnavailable, fmt.Sprintf("%s cannot be reached; check that it runs, take it out of the environment, or name %s in $NO_PROXY", at, s.Host())}, true
		}
	}
	return Fault{}, false
}
