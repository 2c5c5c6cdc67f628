package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/oserror"
)

// ErrNoCache: Checkout was called without Options.Cache.
var ErrNoCache = errors.New("there is no cache to check out into")

// CheckoutOptions adjust Checkout. nil means the zero value.
type CheckoutOptions struct {
	// MaxSize refuses an object of more than so many bytes, with ErrTooLarge,
	// before anything of it is fetched. nil: no limit.
	MaxSize  *int64
	Progress func(Progress) // called as data moves; nil: that of the registry's Options
}

// CheckoutReport is what Checkout did.
type CheckoutReport struct {
	Info Info   `json:"info"`
	Dir  string `json:"dir"` // the directory with the files
}

// Checkout returns a directory with the files of the version that ref means,
// all of them verified when it was made. It belongs to the cache: its files are
// read-only, and it is the same one for all processes and versions with that digest. The
// first time its files are fetched, as by Load into a Path; after that, finding
// it costs the requests that resolve ref, and none where the registry is
// Offline. An object of one file is a directory with that file.
//
// The directory is not thrown out within an hour after it was checked out last;
// who works with it for longer keeps its files open, or checks it out again.
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
	report := r.progressOr(o.Progress)
	if report != nil {
		obj.fs.Progress = func(done int64) { report(Progress{Op: OpCheckout, Ref: ref, Done: done, Total: obj.f.Size}) }
	}
	again := false // the disk was full in the middle, and has room now
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
