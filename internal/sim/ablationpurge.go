package sim

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// This file has the ablations of the rules for purged versions.

// purgedIsNoRoot makes a version that was just purged name no packs.
func purgedIsNoRoot(key string, body []byte, info store.Info) ([]byte, store.Info) {
	m := version(key, body)
	if m == nil || m.State != manifest.Purged || !m.NamesPacks() {
		return body, info
	}
	body, err := m.Purged(m.Died).Encode()
	if err != nil {
		panic(err)
	}
	return body, info
}

// purgedIsOld makes a purge look older, by most of the window and the margin. So
// the version names its packs only for the rest of that time.
func purgedIsOld(key string, body []byte, info store.Info) ([]byte, store.Info) {
	if m := version(key, body); m != nil && m.State == manifest.Purged && m.NamesPacks() {
		info.Modified = info.Modified.Add(-times.WindowD()*3/4 - times.MarginD())
	}
	return body, info
}

// listsTwice makes a collection list the registers once; its second listing
// shows the same.
type listsTwice struct {
	store.Store
	c  *client
	of *op
}

func (l *listsTwice) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	o := l.c.doing
	if o == nil || o.kind != gc || prefix != manifest.ObjectsPrefix {
		return l.Store.List(ctx, prefix, after)
	}
	if l.of == o {
		return func(func(store.Info, error) bool) {}
	}
	return func(yield func(store.Info, error) bool) {
		for info, err := range l.Store.List(ctx, prefix, after) {
			if !yield(info, err) || err != nil {
				return
			}
		}
		l.of = o
	}
}
