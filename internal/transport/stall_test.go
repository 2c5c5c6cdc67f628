package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/store"
)

// pipes is a network without a wire, in which time stands still for tests.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// network returns a guarded transport to a server: either raw, which is given
// each connection, or a handler.
func network(raw func(net.Conn), handler http.HandlerFunc) (_ http.RoundTripper, end func()) {
	p := &pipes{make(chan net.Conn), make(chan struct{})}
	t := &http.Transport{DialContext: p.dial}
	var served sync.WaitGroup
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		defer served.Done()
		handler(w, r)
	})}
	served.Go(func() {
		if raw == nil {
			server.Serve(p)
			return
		}
		for c, err := p.Accept(); err == nil; c, err = p.Accept() {
			served.Go(func() { raw(c) })
		}
	})
	return Guard(t), func() {
		t.CloseIdleConnections()
		close(p.done)
		server.Close()
		served.Wait()
	}
}

// drip writes a byte every two seconds until the client hangs up.
func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		io.WriteString(w, "x")
		http.NewResponseController(w).Flush()
		time.Sleep(2 * time.Second)
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// begun answers with the head of an answer, and goes on with rest.
func begun(status int, rest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "1000000")
		w.WriteHeader(status)
		io.WriteString(w, strings.Repeat("x", 100))
		http.NewResponseController(w).Flush()
		rest(w, r)
	}
}

// Whatever a request waits for, it ends after twenty seconds without headway.
func TestStalls(t *testing.T) {
	for _, tt := range []struct {
		name    string
		raw     func(net.Conn)
		handler http.HandlerFunc
		url     string
		body    int
		says    string
	}{
		{name: "TLS is not begun", raw: func(c net.Conn) { io.Copy(io.Discard, c) }, url: "https://server/", says: "accepted no connection"},
		{name: "the head is not read", raw: func(net.Conn) {}, says: "did not answer"},
		{name: "the body is not read", body: 1 << 20, says: "bytes of the body", raw: func(c net.Conn) {
			io.ReadFull(c, make([]byte, 100<<10))
		}},
		{name: "the body is read by bytes", body: 1 << 20, says: "bytes of the body", raw: func(c net.Conn) {
			for {
				if _, err := c.Read(make([]byte, 1)); err != nil {
					return
				}
				time.Sleep(2 * time.Second)
			}
		}},
		{name: "no answer", body: 100, handler: func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			hang(nil, r)
		}, says: "did not answer"},
		{name: "the head of the answer drips", says: "did not answer", raw: func(c net.Conn) {
			go io.Copy(io.Discard, c)
			for _, b := range []byte("HTTP/1.1 200 OK\r\nX-Filler: " + strings.Repeat("x", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}},
		{name: "the answer stops", handler: begun(200, hang), says: "after 100 bytes of its answer"},
		{name: "the answer drips", handler: begun(200, drip), says: "bytes of its answer"},
		{name: "a refusal stops", handler: begun(403, hang), says: "after 0 bytes of its answer"},
		{name: "a refusal drips", handler: begun(500, drip), says: "after 0 bytes of its answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, end := network(tt.raw, tt.handler)
				defer end()
				if tt.url == "" {
					tt.url = "http://server/"
				}
				req, err := http.NewRequestWithContext(t.Context(), "PUT", tt.url, bytes.NewReader(make([]byte, tt.body)))
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				resp, err := net.RoundTrip(req)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if !errors.Is(err, store.ErrStalled) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v; want ErrStalled, and that says %q", err, tt.says)
				}
				if took := time.Since(start); took != Patience {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// An address that swallows connections is no better.
func TestNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		base := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over
			return nil, net.ErrClosed
		}}
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://server/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Guard(base).RoundTrip(req); !errors.Is(err, store.ErrStalled) {
			t.Error(err)
		}
	})
}

// What is slow and moves is left alone, however long it takes in all; and so is
// what pauses between answers.
func TestSlowIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, end := network(nil, func(w http.ResponseWriter, r *http.Request) {
			for n := int64(0); n < r.ContentLength; n += piece {
				time.Sleep(15 * time.Second)
				io.CopyN(io.Discard, r.Body, piece)
			}
			time.Sleep(15 * time.Second)
			for range 20 {
				w.Write(make([]byte, least))
				http.NewResponseController(w).Flush()
				time.Sleep(15 * time.Second)
			}
			w.Write(make([]byte, 100))
		})
		defer end()
		for range 2 {
			req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://server/", bytes.NewReader(make([]byte, 30*piece)))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			resp, err := net.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if n != 20*least+100 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			if took := time.Since(start); took < 10*Patience {
				t.Errorf("it took %s, which is not slow", took)
			}
			time.Sleep(time.Minute)
		}
	})
}

// A call that is cancelled ends with that, not as one that stalled.
func TestCancelledIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, end := network(nil, hang)
		defer end()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://server/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = net.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrStalled) {
			t.Error(err)
		}
	})
}

// An answer may come before all of the request is sent. From then on its bytes
// are what counts, and the end of the sending is no headway.
func TestEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := watchOver("host", time.Minute, cancel)
		w.enter(reading)
		time.Sleep(59 * time.Second)
		w.enter(waiting)
		time.Sleep(2 * time.Second)
		if err := context.Cause(ctx); !errors.Is(err, store.ErrStalled) || !strings.Contains(err.Error(), "of its answer") {
			t.Errorf("after a minute without a byte of the answer: %v", err)
		}
	})
}
