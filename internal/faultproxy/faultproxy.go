// Package faultproxy stands between an HTTP client and a real server and does
// to their requests what networks, load balancers and restarts do: answers get
// lost, requests are repeated, delayed or land late, bodies are cut.
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

// Fault says what becomes of one request. The zero value lets it pass.
type Fault struct {
	// Delay is how long the request waits before it goes on to the server.
	Delay time.Duration
	// Lost keeps the request from the server.
	Lost bool
	// Late lets the request reach the server after Delay, long after the
	// client has been hung up on.
	Late bool
	// Twice sends the request twice; the answer is that to the second.
	Twice bool

	// Drop hangs up instead of answering.
	Drop bool
	// Status, if not 0, is answered instead of what the server said, with the
	// S3 error code Code.
	Status int
	Code   string
	// Cut, if not 0, ends the connection after so many bytes of the body; -1
	// is before the first.
	Cut int
	// Drip is how long to wait before each kilobyte of the body.
	Drip time.Duration
}

// Proxy is a running proxy.
type Proxy struct {
	target string
	server *httptest.Server
	client *http.Transport

	mu      sync.Mutex
	plan    func(*http.Request) Fault
	faults  int
	late    int       // requests that have yet to land
	settled sync.Cond // late is 0
}

// Start starts a proxy before the server at target (host:port), which ends
// with the test. plan is asked for each request, one at a time; nil lets all
// pass.
func Start(t testing.TB, target string, plan func(*http.Request) Fault) *Proxy {
	p := &Proxy{target: target, plan: plan, client: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}}
	p.settled.L = &p.mu
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

// Faults returns how many requests did not just pass.
func (p *Proxy) Faults() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// Settle waits until all late requests have landed.
func (p *Proxy) Settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.late > 0 {
		p.settled.Wait()
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
	p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has hung up
	}
	if f.Late {
		p.mu.Lock()
		p.late++
		p.mu.Unlock()
		go func() {
			time.Sleep(f.Delay)
			p.forward(context.Background(), r, body)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.late--
			p.settled.Broadcast()
		}()
		panic(http.ErrAbortHandler)
	}
	time.Sleep(f.Delay)
	var a *answer
	if !f.Lost {
		// What has been sent on is not taken back when the client hangs up.
		ctx := context.WithoutCancel(r.Context())
		if f.Twice {
			p.forward(ctx, r, body)
		}
		if a, err = p.forward(ctx, r, body); err != nil {
			panic(http.ErrAbortHandler) // the server is away: so is the proxy
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

// forward makes the request of the server and reads all of its answer. The
// Host stays as it was: it is part of what an S3 client signs.
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

// refusal is an error as S3 servers send it.
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
// a fault of any kind, the same sequence for the same seed.
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
		case 1, 2: // the worst of all, so more often
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
