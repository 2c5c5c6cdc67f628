package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// errMoved: the pack has changed a moment ago. Looking again helps.
var errMoved = errors.New("pack changes while it is looked at")

// ensureSame makes sure that an existing pack holds body, and returns the
// store's time. Otherwise a save could name a pack that another process has put
// with other bytes, or that was damaged since.
//
// It repairs a damaged pack by a swap. The key of a pack determines its bytes,
// so only one body is right. A swap that is applied late, even in an era long
// closed, replaces damaged bytes by right ones, or finds nothing to replace.
func (u *putter) ensureSame(ctx context.Context, pack manifest.Pack, body []byte) (time.Time, error) {
	key := pack.Key()
	buf, release, err := u.compareBuffer(ctx, pack.Size)
	if err != nil {
		return time.Time{}, err
	}
	defer release()
	there, info, err := u.cfg.Store.Get(ctx, key, &store.GetOptions{Length: pack.Size, Buffer: buf})
	switch {
	case errors.Is(err, store.ErrNotExist), errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrUnavailable):
		return time.Time{}, fmt.Errorf("%w: %w", errMoved, err)
	case err != nil:
		return time.Time{}, err
	case info.Size == pack.Size && bytes.Equal(there, body):
		return info.Now, nil
	}
	info, err = u.cfg.Store.Put(ctx, key, body, info.Token)
	switch {
	case errors.Is(err, store.ErrPrecondition), errors.Is(err, store.ErrRetry), errors.Is(err, store.ErrUnknown):
		return time.Time{}, fmt.Errorf("%w: %w", errMoved, err)
	case err != nil:
		return time.Time{}, fmt.Errorf("%w: %s does not hold its bytes, and repairing it failed: %w", ErrCorrupt, key, err)
	}
	u.cfg.warn(ctx, "damaged pack repaired", key)
	return info.Now, nil
}

// compareBuffer returns memory to read a pack into. It limits how many packs
// are compared at once, since a save that is run again compares every pack.
func (u *putter) compareBuffer(ctx context.Context, size int64) (buf []byte, release func(), err error) {
	if u.compare == nil {
		return u.cfg.Budget.tempBuffer(ctx, int(size))
	}
	select {
	case u.compare <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	buf, put, err := u.cfg.Budget.tempBuffer(ctx, int(size))
	if err != nil {
		<-u.compare
		return nil, nil, err
	}
	return buf, func() {
		put()
		<-u.compare
	}, nil
}

func (c *Config) warn(ctx context.Context, msg, key string) {
	if c.Logger != nil {
		c.Logger.WarnContext(ctx, msg, "key", key)
	}
}
