package cachestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/internal/wrapstore"
	"github.com/mindtrace/registry/store"
)

// usage says how a request uses the cache. The zero value means not at all.
type usage int

const (
	reading usage = iota + 1 // reads from the cache, and adds to it
	looking                  // reads from the cache, and adds no packs
)

type usageKey struct{}

// Use returns a context in which a wrapped store uses the cache. With other
// contexts it reads the registry itself: a verification, a repair and a collection
// need that.
func Use(ctx context.Context) context.Context { return context.WithValue(ctx, usageKey{}, reading) }

// Look is Use, but adds no packs to the cache. It is for bytes that are written to
// this disk anyway, as by a checkout.
func Look(ctx context.Context) context.Context { return context.WithValue(ctx, usageKey{}, looking) }

// Wrap returns st, the store of the registry at url, with the cache in front of its
// packs. All other keys are always read from st. Registers that are read are kept
// for Offline. See Use.
func (c *Cache) Wrap(st store.Store, url string) store.Store {
	return &cached{st, c, seenOf(url)}
}

// cached is the store that Wrap returns.
type cached struct {
	store.Store
	c    *Cache
	seen string // directory of the registry's registers
}

// Unwrap returns the store below.
func (s *cached) Unwrap() store.Store { return s.Store }

// Keys implements store.KeyLister.
func (s *cached) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return wrapstore.KeysBelow(ctx, s.Store, prefix, after)
}

// Stage implements store.Stager.
func (s *cached) Stage(ctx context.Context, key string, body []byte) (store.Staged, error) {
	return wrapstore.StageBelow(ctx, s.Store, key, body, func(st store.Staged) store.Staged { return st })
}

// Forget implements wrapstore.Forgetter.
func (s *cached) Forget(key string, offset, size int64) {
	if strings.HasPrefix(key, manifest.PacksPrefix) {
		s.c.forget(key, offset, size)
	}
}

// Get implements store.Store.
func (s *cached) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	use, _ := ctx.Value(usageKey{}).(usage)
	pack := strings.HasPrefix(key, manifest.PacksPrefix)
	if use == 0 || pack && (o == nil || o.Length == 0) {
		return s.Store.Get(ctx, key, o)
	}
	if pack {
		if body, ok := s.c.readPack(key, o.Offset, o.Length, o.Buffer); ok {
			return body, store.Info{Key: key, Size: int64(len(body))}, nil
		}
	}
	body, info, err := s.Store.Get(ctx, key, o)
	switch {
	case !pack && err == nil && (o == nil || o.Offset == 0 && o.Length == 0):
		s.record(key, body, info)
	case !pack && errors.Is(err, store.ErrNotExist):
		s.drop(key)
	case pack && err == nil && use == reading && int64(len(body)) == o.Length:
		s.c.keepPack(key, o.Offset, body)
	}
	return body, info, err
}

// seenOf returns the directory of the registers of the registry at url.
func seenOf(url string) string {
	sum := sha256.Sum256([]byte(strings.TrimRight(url, "/")))
	return path.Join(seenDir, hex.EncodeToString(sum[:16]))
}

// name returns the name of the file with the register at key.
func (s *cached) name(key string) string { return path.Join(s.seen, key) }

// drop removes a register that the registry does not have any more. With the
// settings, it removes all registers.
func (s *cached) drop(key string) {
	root := s.c.look()
	if root == nil {
		return
	}
	defer root.Close()
	root.Remove(s.name(key))
	if key == manifest.SettingsKey {
		root.RemoveAll(s.seen)
	}
}

// record keeps a register that was just read: the time at which it was put, in
// nanoseconds since 1970, and its body.
func (s *cached) record(key string, body []byte, info store.Info) {
	if s.known(key, body) {
		return
	}
	s.c.insert(s.name(key), binary.BigEndian.AppendUint64(nil, uint64(info.Modified.UnixNano())), body)
}

// known reports whether the cache has a register with this body. If the settings
// are those of another registry than before, it removes all registers.
func (s *cached) known(key string, body []byte) bool {
	root := s.c.look()
	if root == nil {
		return false
	}
	defer root.Close()
	old, known := readSound(root, s.name(key))
	if known && len(old) >= 8 && bytes.Equal(old[8:], body) {
		touch(root, s.name(key))
		return true
	}
	if key == manifest.SettingsKey {
		was, _ := manifest.DecodeSettings(old[min(8, len(old)):])
		if is, err := manifest.DecodeSettings(body); err == nil && (was == nil || was.ID != is.ID) {
			root.RemoveAll(s.seen) // another registry was at this address
		}
	}
	return false
}

// ErrOffline: the cache does not have it, and offline mode does not ask the
// registry.
var ErrOffline = errors.New("offline")

type missingError struct{ what string }

func (e *missingError) Error() string { return "offline: " + e.what }
func (e *missingError) Unwrap() error { return ErrOffline }

// Offline returns a store with what was read from the registry at url through Wrap,
// as far as the cache still has it. Since then, versions may have been saved or
// deleted, and tags moved. What is missing is ErrOffline, and so is every change.
func (c *Cache) Offline(url string) store.Store {
	return &offline{cached{nil, c, seenOf(url)}}
}

type offline struct{ cached }

func (s *offline) Get(_ context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	if strings.HasPrefix(key, manifest.PacksPrefix) {
		if o != nil && o.Length > 0 {
			if body, ok := s.c.readPack(key, o.Offset, o.Length, o.Buffer); ok {
				return body, store.Info{Key: key, Size: int64(len(body))}, nil
			}
		}
		return nil, store.Info{}, &missingError{"bytes of " + key + " are not in the cache"}
	}
	root, err := s.c.open()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, store.Info{}, err
	}
	var b []byte
	if err == nil {
		defer root.Close()
		b, _ = readSound(root, s.name(key))
	}
	if len(b) < 8 {
		return nil, store.Info{}, &missingError{key + " is not in the cache"}
	}
	put := time.Unix(0, int64(binary.BigEndian.Uint64(b)))
	sum := sha256.Sum256(b)
	return b[8:], store.Info{Key: key, Size: int64(len(b) - 8), Token: store.Token(hex.EncodeToString(sum[:16])), Modified: put}, nil
}

func (s *offline) Stat(ctx context.Context, key string) (store.Info, error) {
	_, info, err := s.Get(ctx, key, nil)
	return info, err
}

func (s *offline) Put(context.Context, string, []byte, store.Token) (store.Info, error) {
	return store.Info{}, &missingError{"nothing can be changed"}
}

func (s *offline) Delete(context.Context, string) error {
	return &missingError{"nothing can be changed"}
}

func (s *offline) Now(context.Context) (time.Time, error) {
	return time.Time{}, &missingError{"the registry's clock cannot be asked"}
}

func (s *offline) Keys(context.Context, string, string) iter.Seq2[string, error] { return nil }

func (s *offline) Stage(context.Context, string, []byte) (store.Staged, error) { return nil, nil }

// List implements store.Store. If the cache has no key with the prefix, that is an
// ErrOffline and not an empty listing: the registry may have some.
func (s *offline) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		keys, err := s.keys(prefix)
		if err != nil {
			yield(store.Info{}, err)
			return
		}
		if len(keys) == 0 {
			yield(store.Info{}, &missingError{"nothing below " + prefix + " is in the cache"})
			return
		}
		for _, key := range keys {
			if key <= after {
				continue
			}
			_, info, err := s.Get(ctx, key, nil)
			if err != nil {
				continue // dropped in the meantime
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}
