package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// Patience is how long a request may make no progress. Tests shorten it before
// they open a store.
var Patience = 20 * time.Second

const (
	// least is how many bytes of an answer count as progress. An answer that
	// brings fewer in Patience, and does not end, has stalled.
	least = 1 << 10
	// piece is how many bytes are sent at once. It counts as progress when the
	// connection has accepted all of them; before that, nothing is known.
	piece = 16 << 10
)

// phase is the phase of a request.
type phase int

const (
	connecting phase = iota
	sending
	waiting
	reading
)

// watch ends a request that makes no progress.
type watch struct {
	host     string
	patience time.Duration
	cancel   context.CancelCauseFunc
	timer    *time.Timer

	mu      sync.Mutex
	phase   phase
	moved   int64 // bytes since the timer was set
	total   int64 // bytes of the present body so far
	over    bool  // the request has ended
	stalled error
}

func watchOver(host string, patience time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{host: host, patience: patience, cancel: cancel}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(patience, w.stall)
	return w
}

// trace records the phases of a request.
func (w *watch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { w.enter(sending) },
		WroteRequest: func(httptrace.WroteRequestInfo) { w.enter(waiting) },
	}
}

// watched returns the request with its body watched.
func (w *watch) watched(ctx context.Context, req *http.Request) *http.Request {
	req = req.WithContext(ctx)
	if req.Body == nil || req.Body == http.NoBody {
		return req
	}
	req.Body = &sent{req.Body, w}
	if again := req.GetBody; again != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return &sent{body, w}, nil
		}
	}
	return req
}

// sent is the body of a request.
type sent struct {
	io.ReadCloser
	w *watch
}

// Read implements io.Reader. A call for the next bytes means that the
// connection has accepted the last ones.
func (s *sent) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p[:min(len(p), piece)])
	s.w.headway(n)
	return n, err
}

// enter begins the next phase. If the answer comes early, before the body is
// sent, the sending does not matter any more.
func (w *watch) enter(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == reading {
		return
	}
	w.phase, w.moved, w.total = p, 0, 0
	w.extend()
}

// extend gives the request time for the next progress.
func (w *watch) extend() {
	if !w.over && w.stalled == nil {
		w.timer.Reset(w.patience)
	}
}

// headway counts n bytes of a body.
func (w *watch) headway(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved += int64(n)
	w.total += int64(n)
	if w.moved >= least {
		w.moved = 0
		w.extend()
	}
}

// stall ends the request.
func (w *watch) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over && w.stalled == nil {
		w.stalled = &stalledError{w.host, w.patience, w.phase, w.total}
		w.cancel(w.stalled)
	}
}

// end ends the watch and the request.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
	w.cancel(nil)
}

// rest ends the watch when the answer has been read to its end.
func (w *watch) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}

// why returns the stall that ended a request, or else err.
func (w *watch) why(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stalled != nil {
		return w.stalled
	}
	return err
}

// stalledError is the error of a request that made no progress.
type stalledError struct {
	host     string
	patience time.Duration
	phase    phase
	bytes    int64
}

// Error implements error.
func (e *stalledError) Error() string {
	switch e.phase {
	case connecting:
		return fmt.Sprintf("%s accepted no connection for %v", e.host, e.patience)
	case sending:
		return fmt.Sprintf("%s accepted less than 16 KiB in %v, after %d bytes of the body", e.host, e.patience, e.bytes)
	case waiting:
		return fmt.Sprintf("%s did not answer for %v", e.host, e.patience)
	}
	return fmt.Sprintf("%s sent less than 1 KiB in %v, after %d bytes of its answer", e.host, e.patience, e.bytes)
}

// Is makes the error store.ErrStalled.
func (e *stalledError) Is(target error) bool { return target == store.ErrStalled }
