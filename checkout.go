package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/oserror"
)

// ErrNoCache: Checkout needs a cache, and the registry was opened without
// Options.Cache.
var ErrNoCache = errors.New("there is no cache to check out into")

// CheckoutOptions adjust Checkout. nil means the zero value.
type CheckoutOptions struct {
	// MaxSize is the largest object to check out, in bytes. A larger one is
	// ErrTooLarge, before any of its data is fetched. nil: no limit.
	MaxSize *int64
	// Progress is called as data moves. nil: Options.Progress of the registry.
	Progress func(Progress)
}

// CheckoutReport says what Checkout did.
type CheckoutReport struct {
	Info Info   `json:"info"`
	Dir  string `json:"dir"` // the directory with the files
}

// Checkout returns a directory in the cache with the files of the version that
// ref means. The files are read-only, and they were verified when the directory
// was made. All programs that use this cache share it, and so do all versions
// with the same digest. An object that is one file becomes a directory with that
// file.
//
// The first checkout fetches the files, as Load into a Path does. Later ones
// send only the requests that resolve ref, and no request at all with
// Options.Offline.
//
// The cache keeps the directory for at least an hour after its last checkout.
// To work with it for longer, keep its files open or check it out again.
//
// Errors: those of Load, and ErrNoCache.
func (r *Registry) Checkout(ctx context.Context, ref string, opts *CheckoutOptions) (*CheckoutReport, error) {
	var report *CheckoutReport
	err := r.sharing(ctx, ref, func(ctx context.Context) (err error) {
		report, err = r.checkout(ctx, ref, value(opts))
		return err
	})
	return report, wrap(ctx, OpCheckout, ref, err)
}

func (r *Registry) checkout(ctx context.Context, ref string, o CheckoutOptions) (*CheckoutReport, error) {
	if r.cache == nil {
		return nil, fmt.Errorf("%w; load it to a path instead, or give Options.Cache", ErrNoCache)
	}
	defer r.cache.Release()
	obj, err := r.object(ctx, ref, o.MaxSize)
	if err != nil {
		return nil, err
	}
	obj.fs.Ctx = cachestore.Look(obj.fs.Ctx)
	report := progressOr(o.Progress, r.progress)
	if report != nil {
		obj.fs.Progress = func(done int64) { report(Progress{Op: OpCheckout, Ref: ref, Done: done, Total: obj.f.Size}) }
	}
	again := false // a second try: the disk was full, and the cache has made room
	dir, err := r.cache.Tree(ctx, obj.f.Digest, obj.f.Content.Files, func(dir string) error {
		defer func() { again = true }()
		root, err := beneath.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		return obj.fs.WriteTree(root, again)
	})
	if oserror.Of(err) == oserror.Full {
		err = fmt.Errorf("%w for the cache: %w", ErrNoSpace, err)
	}
	if err != nil {
		return nil, r.ledger.DeletedMeanwhile(ctx, obj.f, err)
	}
	if report != nil {
		report(Progress{Op: OpCheckout, Ref: ref, Done: obj.f.Size, Total: obj.f.Size, Finished: true})
	}
	return &CheckoutReport{Info: obj.Info(), Dir: dir}, nil
}
