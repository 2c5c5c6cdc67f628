package sim

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// ablation leaves one rule out of the protocol, by changing what a client sees
// or sends. The simulation must then find a violation.
type ablation struct {
	name string
	in   *scenario
	view func(*client, store.Store) store.Store
	// order is the order of listings in place of that of the keys.
	order       func(key string) string
	anew        bool // see rootless
	looksBefore bool
	// ignore are the invariants that the ablation violates directly. The
	// simulation must find a consequence of that.
	ignore []string
	// from is the first seed to try if harm is rare: a little below the seed
	// that did harm when this was written.
	from uint64
}

var ablations = []*ablation{
	{name: "eras", in: collecting, ignore: []string{"I6"}, view: settings(func(t *manifest.Times) { t.Era = 1 })},         // every era is over
	{name: "window", in: collecting, from: 330, view: settings(func(t *manifest.Times) { t.Window, t.Margin = 3, 1 })},    // a save outlasts its evidence: docs/attacks.md, A26
	{name: "retention", in: deleting, view: settings(func(t *manifest.Times) { t.Retain, t.Window, t.Margin = 1, 3, 1 })}, // tombstones name nothing
	{name: "deadline", in: collecting, view: func(_ *client, st store.Store) store.Store { return neverLate{st} }},
	{name: "notAfter", in: infecting, view: func(_ *client, st store.Store) store.Store { return alwaysSound{st, map[string]int64{}} }},
	{name: "two-step delete", in: deleting, ignore: []string{"I2", "I6"}, view: func(c *client, st store.Store) store.Store { return twoSteps{st, c} }},
	{name: "refused is lost", in: racing, view: func(_ *client, st store.Store) store.Store { return guess{st, false, map[string]manifest.Nonce{}} }},
	{name: "refused is won", in: racing, view: func(_ *client, st store.Store) store.Store { return guess{st, true, map[string]manifest.Nonce{}} }},
	{name: "order", in: listing, order: unpadded},
	{name: "second listing", in: turning, view: func(c *client, st store.Store) store.Store { return &listsOnce{Store: st, c: c, kind: load} }},
	{name: "late ones do not count", in: replacing, view: func(_ *client, st store.Store) store.Store { return altered{st, lateCounts} }},
	{name: "below a milestone", in: milestones, view: func(c *client, st store.Store) store.Store { return fromMilestone{st, c, false} }},
	{name: "above a milestone", in: milestones, view: func(c *client, st store.Store) store.Store { return fromMilestone{st, c, true} }},
	{name: "updates take one number", in: updating, view: func(c *client, st store.Store) store.Store { return nextFree{st, c} }},
	{name: "purged versions are roots", in: purging, from: 330, ignore: []string{"I10"}, view: collectorSees(purgedIsNoRoot)},
	{name: "roots for a window", in: purging, from: 4720, ignore: []string{"I10"}, view: collectorSees(purgedIsOld)},
	{name: "marks again", in: purging, from: 900, ignore: []string{"I10"}, view: func(c *client, st store.Store) store.Store { return &listsTwice{Store: st, c: c} }},
	{name: "undelete looks again", in: replacing, from: 1145, view: func(c *client, st store.Store) store.Store { return &listsOnce{Store: st, c: c, kind: undelete} }},
	{name: "root is never made anew", in: losing, anew: true},
	{name: "root is looked at after a change", in: losing, looksBefore: true},
}

// collectorSees shows collectors other registers than all other clients.
func collectorSees(change func(key string, body []byte, info store.Info) ([]byte, store.Info)) func(*client, store.Store) store.Store {
	return func(c *client, st store.Store) store.Store {
		if len(c.ops) == 0 || c.ops[0].kind != gc {
			return st
		}
		return altered{st, change}
	}
}

// settings shows collectors other times (eras, windows) than all other clients.
func settings(change func(*manifest.Times)) func(*client, store.Store) store.Store {
	return func(c *client, st store.Store) store.Store {
		if len(c.ops) == 0 || c.ops[0].kind != gc {
			return st
		}
		return altered{st, func(key string, body []byte, info store.Info) ([]byte, store.Info) {
			if key != manifest.SettingsKey {
				return body, info
			}
			s, err := manifest.DecodeSettings(body)
			if err != nil {
				panic(err)
			}
			change(&s.Times)
			body, err = s.Encode()
			if err != nil {
				panic(err)
			}
			return body, info
		}}
	}
}

// altered changes what Get returns.
type altered struct {
	store.Store
	change func(key string, body []byte, info store.Info) ([]byte, store.Info)
}

func (a altered) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := a.Store.Get(ctx, key, opts)
	if err == nil {
		body, info = a.change(key, body, info)
	}
	return body, info, err
}

// version decodes a version register, or returns nil.
func version(key string, body []byte) *manifest.Manifest {
	name, v, err := manifest.ParseVersionRegisterKey(key)
	if err != nil {
		return nil
	}
	m, err := manifest.Decode(body, name, v)
	if err != nil {
		return nil
	}
	return m
}

// neverLate makes every answer to the creation of a version look in time.
type neverLate struct{ store.Store }

func (n neverLate) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	info, err := n.Store.Put(ctx, key, body, match)
	if m := version(key, body); m != nil && match == store.Absent && !m.NotAfter.IsZero() {
		info.Now = m.NotAfter.Add(-times.WindowD())
	}
	return info, err
}

func (n neverLate) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := n.Store.Get(ctx, key, opts)
	if m := version(key, body); m != nil && !m.NotAfter.IsZero() && info.Now.After(m.NotAfter) {
		info.Now = m.NotAfter.Add(-times.WindowD())
	}
	return body, info, err
}

// alwaysSound makes every version look as if it had been committed in time, and
// its packs as if they existed. A save looks at the packs that it reuses, which
// would hide most consequences of the missing rule.
type alwaysSound struct {
	store.Store
	sizes map[string]int64 // of the packs that versions name
}

func (a alwaysSound) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := a.Store.Get(ctx, key, opts)
	if m := version(key, body); m != nil && m.State == manifest.Live && info.Modified.After(m.NotAfter) {
		info.Modified = m.NotAfter
		for _, p := range m.Packs() {
			a.sizes[p.Key()] = p.Size
		}
	}
	return body, info, err
}

func (a alwaysSound) Stat(ctx context.Context, key string) (store.Info, error) {
	info, err := a.Store.Stat(ctx, key)
	if size, ok := a.sizes[key]; ok && errors.Is(err, store.ErrNotExist) {
		return store.Info{Key: key, Size: size, Now: info.Now}, nil
	}
	return info, err
}

// twoSteps deletes in two steps: it removes the register, and then writes
// a tombstone.
type twoSteps struct {
	store.Store
	c *client
}

func (t twoSteps) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	m := version(key, body)
	if m == nil || m.State != manifest.Deleted {
		return t.Store.Put(ctx, key, body, match)
	}
	t.c.removes = match
	if err := t.Store.Delete(ctx, key); err != nil {
		return store.Info{}, err
	}
	return t.Store.Put(ctx, key, body, store.Absent)
}

// guess ignores nonces. A client that is refused after a lost answer assumes
// that it has won, or that it has lost.
type guess struct {
	store.Store
	won     bool
	unknown map[string]manifest.Nonce
}

func (g guess) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	info, err := g.Store.Put(ctx, key, body, match)
	if m := version(key, body); m != nil && errors.Is(err, store.ErrUnknown) {
		g.unknown[key] = m.Nonce
	}
	return info, err
}

func (g guess) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := g.Store.Get(ctx, key, opts)
	mine, ok := g.unknown[key]
	m := version(key, body)
	if !ok || m == nil {
		return body, info, err
	}
	delete(g.unknown, key)
	m.Nonce, m.Prev = mine, nil
	if !g.won {
		m.Nonce = manifest.NewNonce()
	}
	body, eerr := m.Encode()
	if eerr != nil {
		panic(eerr)
	}
	return body, info, err
}

// unpadded is the order of version registers whose numbers are not prefixed
// with their length: 1.10.0 before 1.9.1. A listing of several pages then misses
// the latest version (docs/attacks.md, A7).
func unpadded(key string) string {
	name, v, err := manifest.ParseVersionRegisterKey(key)
	if err != nil {
		return key
	}
	return strings.Join([]string{manifest.VersionsPrefix(name), v.String()}, "")
}

// listsOnce answers every listing of an operation like the first one.
type listsOnce struct {
	store.Store
	c     *client
	kind  kind // of the operations that it changes
	of    *op
	known []store.Info
}

func (l *listsOnce) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	o := l.c.doing
	if o == nil || o.kind != l.kind || !strings.HasPrefix(prefix, manifest.ObjectsPrefix) {
		return l.Store.List(ctx, prefix, after)
	}
	return func(yield func(store.Info, error) bool) {
		if l.of != o {
			l.known = nil
			for info, err := range l.Store.List(ctx, prefix, after) {
				if err != nil {
					yield(info, err)
					return
				}
				l.known = append(l.known, info)
			}
			l.of = o
		}
		for _, info := range l.known {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// lateCounts makes the tombstone of a late version look like any other.
func lateCounts(key string, body []byte, info store.Info) ([]byte, store.Info) {
	m := version(key, body)
	if m == nil || m.State != manifest.Deleted || !m.NotAfter.IsZero() {
		return body, info
	}
	m.NotAfter = info.Modified.UTC()
	altered, err := m.Encode()
	if err != nil {
		panic(err)
	}
	return altered, info
}

// fromMilestone makes readers rely on milestones only. Either they do not look
// below the newest milestone, where the latest version is once all above it are
// deleted; or they do not look above it, and take the version that it names for
// the latest.
type fromMilestone struct {
	store.Store
	c    *client
	only bool
}

func (f fromMilestone) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	if o := f.c.doing; o == nil || o.kind != load && o.kind != list || !strings.HasPrefix(prefix, manifest.ObjectsPrefix) {
		return f.Store.List(ctx, prefix, after)
	}
	return func(yield func(store.Info, error) bool) {
		from := after // the registers after this key count
		for info, err := range f.Store.List(ctx, prefix, after) {
			if name, v, err := manifest.ParseMilestoneKey(info.Key); err == nil {
				if from == "" {
					from = manifest.VersionKey(name, v)
				}
			} else if f.only && from != "" && !strings.HasPrefix(info.Key, from) || info.Key < from {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// nextFree makes updates take the next number if theirs is taken.
type nextFree struct {
	store.Store
	c *client
}

func (n nextFree) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	info, err := n.Store.Put(ctx, key, body, match)
	m := version(key, body)
	if m == nil || match != store.Absent || !n.c.doing.update || !errors.Is(err, store.ErrPrecondition) {
		return info, err
	}
	next, nerr := m.Version.Next()
	if nerr != nil {
		panic(nerr)
	}
	m.Version = next
	if body, nerr = m.Encode(); nerr != nil {
		panic(nerr)
	}
	return n.Store.Put(ctx, manifest.VersionKey(m.Name, next), body, match)
}
