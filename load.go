package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/tree"
)

// LoadReport says what a load did.
type LoadReport struct {
	Info     Info   `json:"info"`     // the version that was loaded
	Dest     string `json:"dest"`     // the file or directory that was written; "" if into was not a Path
	Replaced bool   `json:"replaced"` // Dest existed before, as a file or, with WithExact, as anything
}

// Load loads the version that ref means into the value that into points to. It
// uses the materializer that saved the version, or that of WithMaterializer, and
// verifies every byte.
//
// If into is a Path, Load writes the files to disk and needs no materializer. The
// package documentation says under "Paths" where they go.
//
// Errors: ErrNotFound, ErrDeleted, ErrDangling, ErrInvalidRef, ErrNoMaterializer,
// ErrType, ErrIntegrity, ErrNewer, ErrTooLarge, ErrNoSpace, and those of the
// store. After an error the value may be partly filled.
func (r *Registry) Load(ctx context.Context, ref string, into any, opts ...LoadOption) error {
	return wrap(ctx, OpLoad, ref, r.sharing(ctx, ref, func(ctx context.Context) error {
		return r.load(ctx, ref, into, opts)
	}))
}

// sharing runs read under the shared lock if locking is strict. Offline mode takes
// no lock.
func (r *Registry) sharing(ctx context.Context, ref string, read func(context.Context) error) error {
	if r.ledger.Settings.Locking == "" || r.ledger.Offline {
		return read(ctx)
	}
	p, err := ledger.ParseRef(ref)
	if err != nil {
		return err
	}
	return r.strictly(ctx, p.Name, true, read)
}

// Load returns the version that ref means as a T. Errors and options are those of
// Registry.Load.
func Load[T any](ctx context.Context, r *Registry, ref string, opts ...LoadOption) (T, error) {
	var v T
	err := r.Load(ctx, ref, &v, opts...)
	return v, err
}

// loadOptions collects the options of one load.
func (r *Registry) loadOptions(opts []LoadOption) loadOptions {
	var o loadOptions
	for _, opt := range opts {
		opt.applyLoad(&o)
	}
	if o.progress == nil {
		o.progress = r.progress
	}
	return o
}

func (r *Registry) load(ctx context.Context, ref string, into any, opts []LoadOption) error {
	o := r.loadOptions(opts)
	p, toDisk := into.(Path)
	if !toDisk && o.placing != (tree.Placing{}) {
		return tree.ErrPlacing
	}
	pairs := [][2]string{{"WithExact", "WithNoClobber"}}
	if err := o.check(pairs...); err != nil {
		return err
	}
	if toDisk && o.materializer != nil {
		return errors.New("WithMaterializer has no effect on a load into a Path, which writes the files as they are: leave it out")
	}
	obj, err := r.object(ctx, ref, o.maxSize)
	if err != nil {
		return err
	}
	if report := o.progress; report != nil {
		obj.fs.Progress = func(done int64) { report(Progress{Op: OpLoad, Ref: ref, Done: done, Total: obj.f.Size}) }
	}
	if r.cache != nil {
		defer r.cache.Release()
	}
	var report LoadReport
	if toDisk {
		report.Dest, report.Replaced, err = obj.fs.Extract(string(p), o.placing)
	} else {
		err = r.materialize(ctx, obj, into, o)
	}
	if err != nil {
		return r.ledger.DeletedMeanwhile(ctx, obj.f, err)
	}
	if o.report != nil {
		report.Info = obj.Info()
		*o.report = report
	}
	if o.progress != nil {
		o.progress(Progress{Op: OpLoad, Ref: ref, Done: obj.f.Size, Total: obj.f.Size, Finished: true})
	}
	r.ledger.Log.DebugContext(ctx, "loaded", "name", obj.f.Name, "version", obj.f.Version, "size", obj.f.Size)
	return nil
}

// materialize loads an object into a value.
func (r *Registry) materialize(ctx context.Context, obj *Object, into any, o loadOptions) error {
	m := o.materializer
	if m == nil {
		var err error
		if m, err = r.materials.Named(obj.f.Content.Materializer); err != nil {
			return err
		}
	}
	return m.Load(ctx, obj, into)
}

// Object opens the version that ref means as a read-only file system. It reads the
// list of files now, and fetches and verifies their data when they are read. ctx
// is the context of all these reads. Object takes no lock, even if locking is
// strict: take RLock first if you need one, and keep it while you read.
//
// Errors: those of Info.
func (r *Registry) Object(ctx context.Context, ref string) (*Object, error) {
	obj, err := r.object(ctx, ref, nil)
	if err != nil {
		return nil, wrap(ctx, OpObject, ref, err)
	}
	return obj, nil
}

// object opens the version that a reference means. A version larger than maxSize
// bytes is ErrTooLarge; nil is no limit.
func (r *Registry) object(ctx context.Context, s string, maxSize *int64) (*Object, error) {
	ref, err := ledger.ParseRef(s)
	if err != nil {
		return nil, err
	}
	ctx = cachestore.Use(ctx)
	f, err := r.ledger.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	if maxSize != nil && f.Size > *maxSize {
		return nil, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrTooLarge, f.Size, *maxSize)
	}
	if err := r.ledger.Complete(ctx, f); err != nil {
		return nil, err
	}
	return newObject(ctx, r, s, f, chunk.NewReader(r.ledger.Store, f.Manifest, &chunk.ReaderOptions{FileDigests: true, Budget: r.ledger.Memory, Parallel: r.ledger.ParallelGets()})), nil
}
