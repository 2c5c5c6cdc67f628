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

// LoadReport tells what a load has loaded.
type LoadReport struct {
	Info Info   `json:"info"`
	Dest string `json:"dest"` // where a Path has led: the file or directory written

	// Replaced is set if a file was there before, or, with WithExact, anything.
	Replaced bool `json:"replaced"`
}

// Load fills what into points to from the version that ref means: the
// materializer that saved it reads it back, every byte verified. A Path as
// into writes the files to disk instead, whatever saved them; the package
// documentation says where they go, under "Paths".
//
// Errors: ErrNotFound, ErrDeleted, ErrNoMaterializer, ErrType, ErrIntegrity,
// ErrTooLarge, ErrNoSpace, and those of the store. On an error, what into points to may be filled in
// part.
func (r *Registry) Load(ctx context.Context, ref string, into any, opts ...LoadOption) error {
	return wrap(ctx, OpLoad, ref, r.sharing(ctx, ref, func(ctx context.Context) error {
		return r.load(ctx, ref, into, opts)
	}))
}

// sharing runs read, under the shared lock where locking is strict. Offline
// there is nobody to share it with.
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

// Load returns the version that ref means as a T.
func Load[T any](ctx context.Context, r *Registry, ref string, opts ...LoadOption) (T, error) {
	var v T
	err := r.Load(ctx, ref, &v, opts...)
	return v, err
}

// loadOptions are the options of one load.
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
		return errors.New("WithMaterializer is about a value, and this loads the files into a Path as they are: leave it out")
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

// Object opens the version that ref means as a read-only file system. It
// reads the manifest; files are fetched as they are read, and verified.
// The context is that of all reads. It holds no lock, also where locking is
// strict: whoever wants one takes RLock first, and keeps it while reading.
func (r *Registry) Object(ctx context.Context, ref string) (*Object, error) {
	obj, err := r.object(ctx, ref, nil)
	if err != nil {
		return nil, wrap(ctx, OpObject, ref, err)
	}
	return obj, nil
}

// object finds the version that a reference means, of at most maxSize bytes if
// that is given.
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
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are wanted", ErrTooLarge, f.Size, *maxSize)
	}
	if err := r.ledger.Complete(ctx, f); err != nil {
		return nil, err
	}
	return newObject(ctx, r, s, f, chunk.NewReader(r.ledger.Store, f.Manifest, &chunk.ReaderOptions{FileDigests: true, Budget: r.ledger.Memory, Parallel: r.ledger.ParallelGets()})), nil
}
