package proofs

import (
	"io"
	"net"
	"sync"
	"testing"
)

// outage is a network that can be cut: it passes connections on to a server,
// byte by byte, until they are all broken off and new ones are refused.
type outage struct {
	t      testing.TB
	target string
	addr   string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

// before starts an outage before the server at target, which ends with the
// test.
func before(t testing.TB, target string) *outage {
	o := &outage{t: t, target: target, addr: "127.0.0.1:0", open: map[net.Conn]bool{}}
	o.restore()
	t.Cleanup(o.cut)
	return o
}

// restore lets connections through again.
func (o *outage) restore() {
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		o.t.Fatal(err)
	}
	o.addr = l.Addr().String()
	o.mu.Lock()
	o.listener = l
	o.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.pass(l, c)
		}
	}()
}

// cut breaks all connections off, wherever they are, and refuses new ones.
func (o *outage) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.listener != nil {
		o.listener.Close()
		o.listener = nil
	}
	for c := range o.open {
		c.Close()
	}
}

// pass is one connection, accepted by l.
func (o *outage) pass(l net.Listener, c net.Conn) {
	s, err := net.Dial("tcp", o.target)
	if err != nil {
		c.Close()
		return
	}
	both := []net.Conn{c, s}
	o.mu.Lock()
	if o.listener != l {
		c.Close()
		s.Close()
	}
	for _, x := range both {
		o.open[x] = true
	}
	o.mu.Unlock()
	var wg sync.WaitGroup
	for i := range both {
		wg.Go(func() {
			io.Copy(both[i], both[1-i])
			both[0].Close()
			both[1].Close()
		})
	}
	wg.Wait()
	o.mu.Lock()
	for _, x := range both {
		delete(o.open, x)
	}
	o.mu.Unlock()
}
