package registry

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// history is when the states of keys came to be, by a test's clock. A state is
// known by its token, which of a MinIO is the MD5 of the body.
type history struct {
	now    func() time.Time
	mu     sync.Mutex
	states map[string]time.Time // by key and token
}

// note takes note of a state; one that has been seen already keeps its time,
// unless it is certain that this is another.
func (h *history) note(key string, token store.Token, another bool) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := key + " " + string(token)
	at, ok := h.states[id]
	if !ok || another {
		at = h.now().Round(0)
		h.states[id] = at
	}
	return at
}

// dated is a store on a server whose clock is replaced by that of a test.
type dated struct {
	store.Store
	h *history
}

func (d dated) date(info store.Info) store.Info {
	if info.Token != "" {
		info.Modified = d.h.note(info.Key, info.Token, false)
	}
	if !info.Now.IsZero() {
		info.Now = d.h.now().Round(0)
	}
	return info
}

func (d dated) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := d.Store.Get(ctx, key, o)
	return body, d.date(info), err
}

func (d dated) Stat(ctx context.Context, key string) (store.Info, error) {
	info, err := d.Store.Stat(ctx, key)
	return d.date(info), err
}

func (d dated) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	sum := md5.Sum(body)
	token := store.Token(hex.EncodeToString(sum[:]))
	info, err := d.Store.Put(ctx, key, body, match)
	switch {
	case err == nil && info.Token != token:
		return info, fmt.Errorf("the token %q is not the MD5 of the body, %q", info.Token, token)
	case err == nil:
		d.h.note(key, token, true)
	case errors.Is(err, store.ErrUnknown):
		d.h.note(key, token, false)
	}
	return d.date(info), err
}

func (d dated) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range d.Store.List(ctx, prefix, after) {
			if !yield(d.date(info), err) {
				return
			}
		}
	}
}

func (d dated) Now(ctx context.Context) (time.Time, error) {
	if _, err := d.Store.Now(ctx); err != nil {
		return time.Time{}, err
	}
	return d.h.now().Round(0), nil
}
