package storetest

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// childEnv is set to a store's location for a child process. There, Main serves
// that store on standard input and output.
const childEnv = "STORETEST_SERVE"

// Main is the TestMain of a package that uses Processes: it runs the tests of m,
// a testing.M, or serves a store in a child process.
func Main(m interface{ Run() int }) {
	location := os.Getenv(childEnv)
	if location == "" {
		os.Exit(m.Run())
	}
	if err := serve(location, os.Stdin, os.Stdout); !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "storetest child:", err)
		os.Exit(1)
	}
}

// Processes returns n connections to the store at location. Each lives in
// a process of its own, so that races are between processes. The package must
// use Main as its TestMain, and import the backend.
func Processes(t *testing.T, location string, n int) []store.Store {
	t.Helper()
	conns := make([]store.Store, n)
	for i := range conns {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+location)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := &remote{enc: gob.NewEncoder(in), pending: map[uint64]chan answer{}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.receive(gob.NewDecoder(out))
		}()
		t.Cleanup(func() {
			in.Close() // the child ends
			<-done
			if err := cmd.Wait(); err != nil {
				t.Errorf("storetest child: %v", err)
			}
		})
		conns[i] = r
	}
	return conns
}

type call struct {
	ID            uint64
	Op, Key       string // or "cancel", of the call ID
	Body          []byte
	Match         store.Token
	Offset, Limit int64
	Prefix, After string
	Gone          bool // the context was cancelled before the call
}

type answer struct {
	ID    uint64
	Body  []byte
	Info  store.Info
	Infos []store.Info
	Err   string
	Kinds []int // indices into kinds
}

// kinds are the errors that are passed on between the processes, for errors.Is.
var kinds = []error{
	store.ErrNotExist, store.ErrPrecondition, store.ErrRetry, store.ErrUnknown, store.ErrInvalidKey,
	store.ErrUnavailable, context.Canceled, context.DeadlineExceeded, os.ErrPermission,
}

// remote is a store served by a child process.
type remote struct {
	mu      sync.Mutex
	enc     *gob.Encoder
	next    uint64
	pending map[uint64]chan answer
	broken  error
}

func (r *remote) receive(dec *gob.Decoder) {
	for {
		var a answer
		err := dec.Decode(&a)
		r.mu.Lock()
		if err != nil {
			r.broken = fmt.Errorf("storetest: child ended: %w", err)
			for id, ch := range r.pending {
				ch <- answer{ID: id, Err: r.broken.Error()}
			}
			r.mu.Unlock()
			return
		}
		ch := r.pending[a.ID]
		delete(r.pending, a.ID)
		r.mu.Unlock()
		ch <- a
	}
}

func (r *remote) do(ctx context.Context, c call) (answer, error) {
	ch := make(chan answer, 1)
	r.mu.Lock()
	if r.broken != nil {
		r.mu.Unlock()
		return answer{}, r.broken
	}
	r.next++
	c.ID, c.Gone = r.next, ctx.Err() != nil
	r.pending[c.ID] = ch
	err := r.enc.Encode(c)
	r.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.enc.Encode(call{ID: c.ID, Op: "cancel"})
	})
	defer stop()
	a := <-ch
	if a.Err == "" {
		return a, nil
	}
	e := &remoteError{msg: a.Err}
	for _, k := range a.Kinds {
		e.kinds = append(e.kinds, kinds[k])
	}
	return a, e
}

type remoteError struct {
	msg   string
	kinds []error
}

func (e *remoteError) Error() string   { return e.msg }
func (e *remoteError) Unwrap() []error { return e.kinds }

func (r *remote) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	c := call{Op: "get", Key: key}
	if o != nil {
		c.Offset, c.Limit = o.Offset, o.Length
	}
	a, err := r.do(ctx, c)
	return a.Body, a.Info, err
}

func (r *remote) Stat(ctx context.Context, key string) (store.Info, error) {
	a, err := r.do(ctx, call{Op: "stat", Key: key})
	return a.Info, err
}

func (r *remote) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	a, err := r.do(ctx, call{Op: "put", Key: key, Body: body, Match: match})
	return a.Info, err
}

func (r *remote) Delete(ctx context.Context, key string) error {
	_, err := r.do(ctx, call{Op: "delete", Key: key})
	return err
}

func (r *remote) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		a, err := r.do(ctx, call{Op: "list", Prefix: prefix, After: after})
		for _, info := range a.Infos {
			if !yield(info, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Info{}, err)
		}
	}
}

func (r *remote) Now(ctx context.Context) (time.Time, error) {
	a, err := r.do(ctx, call{Op: "now"})
	return a.Info.Now, err
}

// serve answers the calls on in until it ends, and returns the reason: io.EOF
// after the last call.
func serve(location string, in io.Reader, out io.Writer) error {
	st, err := store.Open(context.Background(), location)
	if err != nil {
		return err
	}
	dec, enc := gob.NewDecoder(in), gob.NewEncoder(out)
	var mu sync.Mutex
	cancels := map[uint64]context.CancelFunc{}
	for {
		var c call
		if err := dec.Decode(&c); err != nil {
			return err
		}
		mu.Lock()
		if c.Op == "cancel" {
			if stop := cancels[c.ID]; stop != nil {
				stop()
			}
			mu.Unlock()
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		if c.Gone {
			stop()
		}
		cancels[c.ID] = stop
		mu.Unlock()
		go func() {
			a := perform(ctx, st, c)
			stop()
			mu.Lock()
			defer mu.Unlock()
			delete(cancels, c.ID)
			if err := enc.Encode(a); err != nil {
				fmt.Fprintln(os.Stderr, "storetest child:", err)
			}
		}()
	}
}

func perform(ctx context.Context, st store.Store, c call) answer {
	a := answer{ID: c.ID}
	var err error
	switch c.Op {
	case "get":
		a.Body, a.Info, err = st.Get(ctx, c.Key, &store.GetOptions{Offset: c.Offset, Length: c.Limit})
		a.Body = bytes.Clone(a.Body)
	case "stat":
		a.Info, err = st.Stat(ctx, c.Key)
	case "put":
		a.Info, err = st.Put(ctx, c.Key, c.Body, c.Match)
	case "delete":
		err = st.Delete(ctx, c.Key)
	case "list":
		for info, lerr := range st.List(ctx, c.Prefix, c.After) {
			if lerr != nil {
				err = lerr
				break
			}
			a.Infos = append(a.Infos, info)
		}
	case "now":
		a.Info.Now, err = st.Now(ctx)
	}
	if err != nil {
		a.Err = err.Error()
		for i, k := range kinds {
			if errors.Is(err, k) {
				a.Kinds = append(a.Kinds, i)
			}
		}
	}
	return a
}
