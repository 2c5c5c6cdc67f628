package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// nobody is the address of a port at which nobody listens.
func nobody(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// speaks is the address of a server that greets everybody with text.
func speaks(t *testing.T, text string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			io.WriteString(c, text)
			go func() {
				defer c.Close()
				io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String()
}

// alerts is the address of a server that answers what is not TLS with the alert
// of OpenSSL.
func alerts(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			c.Read(make([]byte, 4096))
			io.WriteString(c, "\x15\x03\x01\x00\x02\x02\x46")
			c.Close()
		}
	}()
	return l.Addr().String()
}

// answers is the URL of a server that answers everything with a status.
func answers(t *testing.T, status int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(s.Close)
	return s.URL
}

// secure is the URL of a server with a certificate for the name and time, and
// a pool that trusts it.
func secure(t *testing.T, name string, until time.Time, config *tls.Config) (string, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	s.TLS = config
	s.TLS.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(cert)
	return s.URL, pool
}

// Each way in which no answer comes is called what it is: what may pass is
// unavailable, and what somebody has to change says what.
func TestExplain(t *testing.T) {
	now := time.Now()
	valid, validPool := secure(t, "127.0.0.1", now.Add(time.Hour), &tls.Config{})
	other, otherPool := secure(t, "other.example", now.Add(time.Hour), &tls.Config{})
	expired, expiredPool := secure(t, "127.0.0.1", now.Add(-time.Hour), &tls.Config{})
	mutual, mutualPool := secure(t, "127.0.0.1", now.Add(time.Hour), &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	plain := answers(t, 200)
	gone := nobody(t)
	asTLS := func(url string) string { return strings.Replace(url, "http:", "https:", 1) }
	asPlain := func(url string) string { return strings.Replace(url, "https:", "http:", 1) }
	proxy := func(url string) func(*http.Transport) {
		return func(tr *http.Transport) { tr.Proxy = http.ProxyURL(must(t, url)) }
	}
	trust := func(pool *x509.CertPool) func(*http.Transport) {
		return func(tr *http.Transport) { tr.TLSClientConfig = &tls.Config{RootCAs: pool} }
	}
	lookup := func(err *net.DNSError) func(*http.Transport) {
		return func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: err}
			}
		}
	}
	for name, c := range map[string]struct {
		url  string
		set  func(*http.Transport)
		kind error
		says string
	}{
		"nobody listens":           {"http://" + gone, nil, store.ErrUnavailable, "is a server listening at http://" + gone},
		"no such host":             {"http://absent.example", lookup(&net.DNSError{Name: "absent.example", IsNotFound: true}), store.ErrUnavailable, "there is no host absent.example"},
		"no name server":           {"http://some.example", lookup(&net.DNSError{Name: "some.example", IsTemporary: true}), store.ErrUnavailable, "cannot be looked up"},
		"a dead proxy":             {"http://server.example", proxy("http://" + gone), store.ErrUnavailable, "the proxy at http://" + gone + " cannot be reached"},
		"a dead proxy, TLS":        {"https://server.example", proxy("http://" + gone), store.ErrUnavailable, "the proxy at http://" + gone + " cannot be reached"},
		"a proxy with a password":  {"http://server.example", proxy(answers(t, 407)), fs.ErrPermission, "requires a name and password"},
		"the same, TLS":            {"https://server.example", proxy(answers(t, 407)), fs.ErrPermission, "requires a name and password"},
		"a proxy that forbids":     {"https://server.example", proxy(answers(t, 403)), nil, "add that host to $NO_PROXY"},
		"a proxy without the host": {"https://server.example", proxy(answers(t, 502)), store.ErrUnavailable, "cannot reach server.example"},
		"TLS asked of plain HTTP":  {asTLS(plain), nil, nil, "write the endpoint as " + plain},
		"TLS asked of SSH":         {"https://" + speaks(t, "SSH-2.0-OpenSSH_9.9\r\n"), nil, nil, "speaks neither TLS nor HTTP"},
		"HTTP asked of SSH":        {"http://" + speaks(t, "SSH-2.0-OpenSSH_9.9\r\n"), nil, nil, "does not speak HTTP"},
		"HTTP asked of TLS":        {"http://" + alerts(t), nil, nil, "write the endpoint as https://"},
		"an unknown authority":     {valid, nil, nil, "$SSL_CERT_FILE"},
		"a certificate of others":  {other, trust(otherPool), nil, "is for other names"},
		"an old certificate":       {expired, trust(expiredPool), nil, "not valid at this time"},
		"a certificate is wanted":  {mutual, trust(mutualPool), nil, "a client certificate"},
		"all is well":              {valid, trust(validPool), nil, ""},
		"also without TLS":         {asPlain(plain), nil, nil, ""},
	} {
		base := Base()
		base.Proxy = nil
		if c.set != nil {
			c.set(base)
		}
		client := &http.Client{Transport: Guard(base)}
		resp, err := client.Get(c.url)
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else {
				resp.Body.Close()
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: status %s", name, resp.Status)
			continue
		}
		f := Server{URL: c.url, Proxy: Proxy(base, c.url)}.Explain(err)
		if !errors.Is(f.Kind, c.kind) || !strings.Contains(f.Remedy, c.says) {
			t.Errorf("%s: %v is %v, and says %q; want %v and %q", name, err, f.Kind, f.Remedy, c.kind, c.says)
		}
	}
}

func must(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What is said of a proxy holds no secret.
func TestProxyWithoutSecret(t *testing.T) {
	base := Base()
	base.Proxy = http.ProxyURL(must(t, "http://me:secret@proxy.example:3128"))
	t.Setenv("HTTPS_PROXY", "")
	t.Setenv("https_proxy", "http://me:secret@proxy.example:3128")
	if got := Proxy(base, "https://server"); got != "http://proxy.example:3128 ($https_proxy)" {
		t.Error(got)
	}
	base.Proxy = nil
	if got := Proxy(base, "https://server"); got != "" {
		t.Error(got)
	}
}

// A proxy that only SOCKS programs know of is not used, which has to be said
// where the server cannot be reached.
func TestAllProxyIsNotUsed(t *testing.T) {
	t.Setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
	if f := (Server{URL: "http://server"}).Explain(io.ErrUnexpectedEOF); !strings.Contains(f.Remedy, "$ALL_PROXY is not used") {
		t.Error(f.Remedy)
	}
}
