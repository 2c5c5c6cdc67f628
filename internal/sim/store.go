package sim

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// world is the simulated store: a map whose every change is one step, a clock
// of its own, the requests that wait to be served, and those that were given
// up by their clients and are still on their way.
type world struct {
	objects map[string]object
	now     time.Time
	tokens  int
	page    int // keys in one page of a listing

	root        rootState
	anew        map[string]object // ablation: changes go here while the root is gone
	looksBefore bool              // ablation: the store checks its root only before a change

	order    func(key string) string // of listings; nil: of the keys (ablation)
	born     map[string]int          // of keys that are made of nonces: their number
	put      func(c *call, old, new object)
	deleted  func(c *call, old object)
	sent     func(c *call)
	floating []*call

	// mu guards all this, the oracle and the run. The scheduler holds it,
	// except while it waits for the clients or sleeps.
	mu      sync.Mutex
	waiting []*call
	seq     int
}

type object struct {
	body     []byte
	token    store.Token
	modified time.Time
}

type opcode string

const (
	opStart  opcode = "start" // of an operation, so that it may be delayed
	opSource opcode = "read"  // of the value being saved
	opGet    opcode = "get"
	opStat   opcode = "stat"
	opPut    opcode = "put"
	opDelete opcode = "delete"
	opList   opcode = "list"
	opNow    opcode = "now"
)

// call is one request.
type call struct {
	client *client
	op     opcode
	key    string // or prefix
	after  string
	body   []byte
	match  store.Token
	opts   *store.GetOptions
	seq    int
	done   chan answer
}

func (c *call) mutates() bool { return c.op == opPut || c.op == opDelete }

func (c *call) String() string {
	s := string(c.op) + " " + c.client.run.w.short(c.key)
	if c.op == opList && c.after != "" {
		s += " after " + c.client.run.w.short(c.after)
	}
	return strings.TrimSpace(s)
}

// short returns a key as traces show it.
func (w *world) short(key string) string {
	if strings.HasPrefix(key, "packs/") && len(key) > 30 {
		return key[:len(key)-58] + "…"
	}
	return w.numbered(key)
}

// numbered replaces the nonce that ends a key by the number of the key, so
// that nothing depends on nonces: not the order of listings, and not traces.
func (w *world) numbered(key string) string {
	i := strings.LastIndexByte(key, '/')
	if !strings.HasPrefix(key, "gc/") && !strings.Contains(key, "/s/") || i == len(key)-1 {
		return key
	}
	if w.born[key] == 0 {
		w.born[key] = len(w.born) + 1
	}
	return fmt.Sprintf("%s%04d", key[:i+1], w.born[key])
}

type answer struct {
	body []byte
	info store.Info
	page []store.Info
	more bool
	err  error
}

// apply serves a request.
func (w *world) apply(c *call) answer {
	if w.root != inPlace && c.op != opStart && c.op != opSource {
		return w.rootless(c)
	}
	return w.served(c)
}

func (w *world) served(c *call) answer {
	old, there := w.objects[c.key]
	info := store.Info{Key: c.key, Size: int64(len(old.body)), Token: old.token, Modified: old.modified, Now: w.now}
	switch c.op {
	case opGet, opStat:
		if !there {
			return answer{info: store.Info{Now: w.now}, err: fmt.Errorf("%s %s: %w", c.op, c.key, store.ErrNotExist)}
		}
		if c.op == opStat {
			return answer{info: info}
		}
		body := old.body
		if o := c.opts; o != nil {
			body = body[min(o.Offset, int64(len(body))):]
			if o.Length > 0 {
				body = body[:min(o.Length, int64(len(body)))]
			}
		}
		return answer{body: bytes.Clone(body), info: info}
	case opPut:
		if old.token != c.match {
			return answer{info: store.Info{Now: w.now}, err: fmt.Errorf("put %s: %w", c.key, store.ErrPrecondition)}
		}
		w.tokens++
		o := object{c.body, store.Token(strconv.Itoa(w.tokens)), w.now}
		w.objects[c.key] = o
		w.put(c, old, o)
		return answer{info: store.Info{Key: c.key, Size: int64(len(o.body)), Token: o.token, Modified: o.modified, Now: w.now}}
	case opDelete:
		if there {
			delete(w.objects, c.key)
			w.deleted(c, old)
		}
		return answer{}
	case opList:
		return w.listPage(c)
	}
	return answer{info: store.Info{Now: w.now}} // opNow, opStart, opSource
}

// listPage returns one page. Between pages anything may happen.
func (w *world) listPage(c *call) answer {
	order := w.order
	if order == nil {
		order = w.numbered
	}
	var keys []string
	after := order(c.after)
	for k := range w.objects {
		if strings.HasPrefix(k, c.key) && (c.after == "" || order(k) > after) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(order(a), order(b)) })
	a := answer{more: len(keys) > w.page}
	for _, k := range keys[:min(w.page, len(keys))] {
		o := w.objects[k]
		a.page = append(a.page, store.Info{Key: k, Size: int64(len(o.body)), Token: o.token, Modified: o.modified, Now: w.now})
	}
	return a
}

// view is the store as one client sees it.
type view struct {
	w *world
	c *client
}

// ask makes a request wait until the scheduler serves it.
func (v view) ask(ctx context.Context, c *call) answer {
	c.client, c.done = v.c, make(chan answer, 1)
	v.w.mu.Lock()
	if v.c.dead.Load() {
		v.w.mu.Unlock()
		return answer{err: errCrashed}
	}
	v.w.seq++
	c.seq = v.w.seq
	v.w.waiting = append(v.w.waiting, c)
	if v.w.sent != nil {
		v.w.sent(c)
	}
	v.w.mu.Unlock()
	select {
	case a := <-c.done:
		return a
	case <-ctx.Done():
	}
	v.w.mu.Lock()
	waits := v.w.unpark(c)
	if waits && c.mutates() { // the request has been sent and may still be applied
		v.w.floating = append(v.w.floating, c)
	}
	v.w.mu.Unlock()
	if !waits {
		return <-c.done // answered at the same time
	}
	if c.mutates() {
		return answer{err: fmt.Errorf("%w: %w", store.ErrUnknown, context.Cause(ctx))}
	}
	return answer{err: context.Cause(ctx)}
}

func (v view) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	if opts != nil {
		opts = &store.GetOptions{Offset: opts.Offset, Length: opts.Length}
	}
	a := v.ask(ctx, &call{op: opGet, key: key, opts: opts})
	return a.body, a.info, a.err
}

func (v view) Stat(ctx context.Context, key string) (store.Info, error) {
	a := v.ask(ctx, &call{op: opStat, key: key})
	return a.info, a.err
}

func (v view) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	a := v.ask(ctx, &call{op: opPut, key: key, body: bytes.Clone(body), match: match})
	return a.info, a.err
}

func (v view) Delete(ctx context.Context, key string) error {
	return v.ask(ctx, &call{op: opDelete, key: key}).err
}

func (v view) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var infos []store.Info
		for after := after; ; {
			a := v.ask(ctx, &call{op: opList, key: prefix, after: after})
			if a.err != nil {
				yield(store.Info{}, a.err)
				return
			}
			if v.w.order != nil { // the pages are out of order, the listing is not
				infos = append(infos, a.page...)
			} else {
				for _, info := range a.page {
					if !yield(info, nil) {
						return
					}
				}
			}
			if !a.more {
				break
			}
			after = a.page[len(a.page)-1].Key
		}
		slices.SortFunc(infos, func(a, b store.Info) int { return strings.Compare(a.Key, b.Key) })
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (v view) Now(ctx context.Context) (time.Time, error) {
	a := v.ask(ctx, &call{op: opNow})
	return a.info.Now, a.err
}

// unpark removes a request from those that wait, and reports whether it was
// waiting.
func (w *world) unpark(c *call) bool {
	i := slices.Index(w.waiting, c)
	if i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
	return i >= 0
}
