package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"time"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
)

// op is one operation of a client.
type op struct {
	kind    kind
	name    string
	version string   // or selector
	base    string   // of a save
	tag     string   // to set or remove
	files   []string // contents of a save
	plain   bool     // stored as they are
	update  bool     // saves only after the latest version that it has seen
	seen    string   // that version, or nothing
	id      string   // of a save, unique

	client       *client
	began, ended int // steps
	beganAt      time.Time
	done         bool
	result       string // the version saved or loaded
	removed      []registry.Version
	got          value
	err          error
}

type kind string

const (
	save     kind = "save"
	load     kind = "load"
	remove   kind = "delete"
	undelete kind = "undelete"
	purge    kind = "purge"
	gc       kind = "gc"
	tag      kind = "tag"
	untag    kind = "untag"
	lock     kind = "lock"
	rlock    kind = "rlock"
	list     kind = "list" // the objects that begin so, with their latest versions
)

// everything is a range of all versions, so that a load of it looks at all of
// them.
const everything = "*"

// latest reports whether this reads the latest version of an object.
func (o *op) latest() bool {
	return (o.kind == load || o.kind == list) && (o.version == "" || o.version == everything)
}

func (o *op) String() string {
	s := string(o.kind)
	if o.name != "" {
		s += " " + o.name
	}
	if o.version != "" {
		s += "@" + o.version
	}
	if o.kind == save {
		s += " " + o.id
		for _, f := range o.files {
			s += fmt.Sprintf(" %.9q", f)
		}
		if o.plain {
			s += " as they are"
		}
		if o.update {
			s += " as an update"
		}
	}
	if o.tag != "" {
		s += " as " + o.tag
	}
	if o.base != "" {
		s += " base " + o.base
	}
	return s
}

// client is one process.
type client struct {
	n         int
	run       *run
	ops       []*op
	doing     *op
	reg       *registry.Registry
	ctx       context.Context
	cancel    context.CancelFunc
	give      context.CancelFunc // gives the present operation up
	outage    int                // how many of the next requests get lost
	dead      atomic.Bool
	finished  bool
	suspended time.Time   // the client is not scheduled before
	removes   store.Token // the state that a deletion in two steps has read (ablation)
}

var errCrashed = errors.New("this process has crashed")

func (r *run) newClient(n int, ops []*op) *client {
	c := &client{n: n, run: r, ops: ops}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	r.clients = append(r.clients, c)
	return c
}

// start lets the process run.
func (c *client) start() {
	go func() {
		c.work()
		c.run.w.mu.Lock()
		c.finished = true
		c.run.w.mu.Unlock()
	}()
}

func (c *client) work() {
	var st store.Store = view{c.run.w, c}
	if ab := c.run.ablation; ab != nil && ab.view != nil {
		st = ab.view(c, st)
	}
	var err error
	if c.reg, err = registry.OpenStore(knob.With(c.ctx, c.run.knobs), st, "sim:", nil); err != nil {
		return // crashed
	}
	m := material.Func("sim", saveValue, loadValue)
	if err := registry.Register[value](c.reg, m); err != nil {
		panic(err)
	}
	for len(c.ops) > 0 && !c.dead.Load() {
		o := c.ops[0]
		c.ops = c.ops[1:]
		o.client, c.doing = c, o
		view{c.run.w, c}.ask(c.ctx, &call{op: opStart, key: o.String()})
		if c.dead.Load() {
			return
		}
		c.run.oracle.begin(o)
		c.do(o)
		if !c.dead.Load() {
			c.run.oracle.end(o)
		}
	}
}

func (c *client) do(o *op) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	c.give = cancel
	ref := o.name
	if o.version != "" {
		ref += "@" + o.version
	}
	switch o.kind {
	case save:
		opts := []registry.SaveOption{registry.WithMetadata(o.id)}
		if o.version != "" {
			opts = append(opts, registry.WithVersion(o.version))
		}
		if o.base != "" {
			opts = append(opts, registry.WithBase(o.base))
		}
		if o.plain {
			opts = append(opts, registry.WithCompression(registry.CompressionNone))
		}
		var v registry.Version
		if o.update {
			v, o.err = registry.Update(ctx, c.reg, o.name, func(_ value, from *registry.Info) (value, error) {
				c.run.oracle.sees(o, from)
				return value{o.files, c}, nil
			}, opts...)
		} else {
			v, o.err = c.reg.Save(ctx, o.name, value{o.files, c}, opts...)
		}
		if o.err == nil {
			o.result = v.String()
		}
	case load:
		var rep registry.LoadReport
		o.err = c.reg.Load(ctx, ref, &o.got, registry.WithLoadReport(&rep))
		o.result = rep.Info.Version.String()
	case list:
		for info, err := range c.reg.Latest(ctx, o.name) {
			if o.err = err; err == nil && info.Name == o.name {
				o.result = info.Version.String()
			}
		}
	case remove:
		var rep *registry.DeleteReport
		rep, o.err = c.reg.Delete(ctx, ref, nil)
		o.removed = rep.Deleted
	case undelete:
		_, o.err = c.reg.Undelete(ctx, ref, nil)
	case purge:
		var rep *registry.PurgeReport
		rep, o.err = c.reg.Purge(ctx, ref, nil)
		for _, v := range rep.Purged {
			o.removed = append(o.removed, v.Version)
		}
	case gc:
		_, o.err = c.reg.GC(ctx, nil)
	case tag:
		_, o.err = c.reg.Tag(ctx, ref, o.tag, nil)
	case untag:
		_, o.err = c.reg.Untag(ctx, o.name, o.tag, nil)
	case lock, rlock:
		o.err = c.lock(ctx, o)
	}
}

// lock takes a lock, works for some time, and releases it.
func (c *client) lock(ctx context.Context, o *op) error {
	take := c.reg.Lock
	if o.kind == rlock {
		take = c.reg.RLock
	}
	locked, unlock, err := take(ctx, o.name, nil)
	if err != nil {
		return err
	}
	c.run.oracle.holds(o, locked, o.kind == rlock)
	for range 3 {
		view{c.run.w, c}.ask(locked, &call{op: opSource})
		select {
		case <-locked.Done():
		case <-time.After(7 * time.Second):
		}
	}
	return unlock()
}

// value is an object to save: a few files of some bytes.
type value struct {
	files []string
	c     *client
}

func saveValue(ctx context.Context, dst material.Sink, v value) error {
	for i, f := range v.files {
		if i > 0 { // sources may be slow
			view{v.c.run.w, v.c}.ask(ctx, &call{op: opSource})
		}
		w, err := dst.Create(fmt.Sprintf("f%d", i))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, f); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

func loadValue(_ context.Context, src fs.FS) (value, error) {
	var v value
	for i := 0; ; i++ {
		b, err := fs.ReadFile(src, fmt.Sprintf("f%d", i))
		if errors.Is(err, fs.ErrNotExist) {
			return v, nil
		}
		if err != nil {
			return v, err
		}
		v.files = append(v.files, string(b))
	}
}
