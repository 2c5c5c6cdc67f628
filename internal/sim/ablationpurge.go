package sim

import (
	"context"
	"iter"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// This file takes out the rules for versions that are deleted for good.

// purgedIsNoRoot has a version that was just purged name nothing.
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

// purgedIsOld has a version that was purged look as if that had been most of
// a window and the margin earlier: it names its packs for what is left of it.
func purgedIsOld(key string, body []byte, info store.Info) ([]byte, store.Info) {
	if m := version(key, body); m != nil && m.State == manifest.Purged && m.NamesPacks() {
		info.Modified = info.Modified.Add(-times.WindowD()*3/4 - times.MarginD())
	}
	return body, info
}

// listsTwice has a collection list the registers once, and believe that
// a second listing shows nothing new.
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
