// Package faultproxy is an HTTP proxy for tests. Between a client and a real
// server it makes the faults of networks, load balancers and restarts: answers
// are lost, requests are repeated, delayed or applied late, bodies are cut.
package faultproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Fault is what happens to one request. The zero value lets it pass.
type Fault struct {
	// Delay is how long the request waits before it goes to the server.
	Delay time.Duration
	// Lost drops the request: it does not reach the server.
	Lost bool
	// Late closes the connection to the client at once, and sends the request
	// to the server after Delay.
	Late bool
	// Twice sends the request twice, and returns the second answer.
	Twice bool

	// Drop closes the connection instead of answering.
	Drop bool
	// Status, if not 0, replaces the server's answer, with the S3 error code
	// Code.
	Status int
	Code   string
	// Cut, if not 0, closes the connection after this many bytes of the body;
	// -1 means before the first.
	Cut int
	// Drip is how long to wait before each kilobyte of the body.
	Drip time.Duration
}

// Proxy is a running proxy.
type Proxy struct {
	target string
	server *httptest.Server
	client *http.Transport

	mu     sync.Mutex
	plan   func(*http.Request) Fault
	faults int
	late   int // late requests under way
	landed sync.Cond
}

// Start starts a proxy before the server at target (host:port). The proxy ends
// with the test. plan is called for each request, one at a time; nil lets all
// requests pass.
func Start(t testing.TB, target string, plan func(*http.Request) Fault) *Proxy {
	p := &Proxy{target: target, plan: plan, client: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}}
	p.landed.L = &p.mu
	p.server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.server.Close()
		p.Settle()
		p.client.CloseIdleConnections()
	})
	return p
}

// Addr returns the proxy's address, as host:port.
func (p *Proxy) Addr() string { return p.server.Listener.Addr().String() }

// Plan replaces the plan.
func (p *Proxy) Plan(plan func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
}

// Faults returns how many requests have met a fault.
func (p *Proxy) Faults() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// Settle waits until the server has answered all late requests.
func (p *Proxy) Settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.late > 0 {
		p.landed.Wait()
	}
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	var f Fault
	if p.plan != nil {
		f = p.plan(r)
	}
	if f != (Fault{}) {
		p.faults++
	}
	if f.Late {
		p.late++
	}
	p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if f.Late {
			p.land()
		}
		panic(http.ErrAbortHandler) // the client has closed the connection
	}
	if f.Late {
		go func() {
			defer p.land()
			time.Sleep(f.Delay)
			p.forward(context.Background(), r, body)
		}()
		panic(http.ErrAbortHandler)
	}
	time.Sleep(f.Delay)
	var a *answer
	if !f.Lost {
		// A request that was sent on is not cancelled with the client's connection.
		ctx := context.WithoutCancel(r.Context())
		if f.Twice {
			p.forward(ctx, r, body)
		}
		if a, err = p.forward(ctx, r, body); err != nil {
			panic(http.ErrAbortHandler) // the server does not answer, so the proxy does not either
		}
	}
	switch {
	case f.Drop, f.Lost && f.Status == 0:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		a = refusal(f.Status, f.Code)
	}
	a.write(w, r.Method, f)
}

// land records that a late request is no longer under way.
func (p *Proxy) land() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late--
	p.landed.Broadcast()
}

// forward sends the request to the server and reads the whole answer. It keeps
// the Host header, which an S3 client signs.
func (p *Proxy) forward(ctx context.Context, r *http.Request, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://"+p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = r.Header.Clone()
	req.Host = r.Host
	req.ContentLength = int64(len(body))
	resp, err := p.client.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return &answer{resp.StatusCode, resp.Header, got}, err
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// refusal returns an error in the form of S3 servers.
func refusal(status int, code string) *answer {
	body := fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>fault</Message></Error>`, code)
	return &answer{status, http.Header{"Content-Type": {"application/xml"}, "Content-Length": {strconv.Itoa(len(body))}}, body}
}

func (a *answer) write(w http.ResponseWriter, method string, f Fault) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	if method == http.MethodHead {
		return
	}
	body := a.body
	if f.Cut != 0 {
		body = body[:min(max(f.Cut, 0), len(body))]
	}
	for f.Drip > 0 && len(body) > 0 {
		n := min(1024, len(body))
		time.Sleep(f.Drip)
		w.Write(body[:n])
		http.NewResponseController(w).Flush()
		body = body[n:]
	}
	w.Write(body)
	if f.Cut != 0 {
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// Random returns a plan in which a share of the requests, from 0 to 1, meets
// a random fault. The same seed makes the same sequence.
func Random(seed uint64, share float64) func(*http.Request) Fault {
	rng := rand.New(rand.NewPCG(seed, 0))
	return func(r *http.Request) Fault {
		if rng.Float64() >= share {
			return Fault{}
		}
		wait := time.Duration(rng.IntN(30)) * time.Millisecond
		switch rng.IntN(12) {
		case 0:
			return Fault{Lost: true}
		case 1, 2: // the most harmful fault, so it is more frequent
			return Fault{Drop: true}
		case 3:
			return Fault{Late: true, Delay: 10 * wait}
		case 4:
			return Fault{Twice: true}
		case 5:
			return Fault{Status: 503, Code: "SlowDown"}
		case 6:
			return Fault{Lost: true, Status: 503, Code: "SlowDown"}
		case 7:
			return Fault{Lost: true, Status: 409, Code: "ConditionalRequestConflict"}
		case 8:
			return Fault{Status: 500, Code: "InternalError"}
		case 9:
			return Fault{Delay: wait}
		case 10:
			return Fault{Cut: rng.IntN(2000) - 1}
		default:
			return Fault{Drip: wait / 10}
		}
	}
}
