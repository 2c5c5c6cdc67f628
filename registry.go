package registry

import (
	"context"
	"reflect"

	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
)

// Registry is an open registry. Any number of goroutines may use it at once, beside
// any number of other processes. It need not be closed.
type Registry struct {
	ledger    *ledger.Ledger
	cache     *cachestore.Cache // nil: no cache
	materials material.Set
	progress  func(Progress) // Options.Progress, or nil
}

// Path is a file or directory on disk, as a value to save or as the destination of a
// load.
type Path = material.Path

// URL returns the location that the registry was opened with.
func (r *Registry) URL() string { return r.ledger.URL }

// ID returns the random identifier that the registry got when it was created. Copies
// of the registry's files have the same.
func (r *Registry) ID() string { return string(r.ledger.Settings.ID) }

// Unversioned reports whether a save replaces the object, so that only its last
// version is kept.
func (r *Registry) Unversioned() bool { return r.ledger.Settings.Unversioned }

// Locking returns LockingStrict if saves and loads take locks, or LockingNone.
func (r *Registry) Locking() Locking { return Locking(r.ledger.Settings.Locking) }

// localDir returns the directory of the registry, or "" if it is in a bucket.
func (r *Registry) localDir() string {
	if u, err := store.ParseURL(r.ledger.URL); err == nil && u.Scheme == "file" {
		return u.Path
	}
	return ""
}

// Register makes m the materializer for saving values of type T, and for loading
// objects that were saved under m's name. T and *T are different types: register
// both if you save both. It fails if m's name is not valid, if it belongs to a
// materializer of another kind, also a built-in one, and if m is a material.Func
// for another type than T.
func Register[T any](r *Registry, m material.Materializer) error {
	return wrap(context.Background(), OpRegisterMaterializer, m.Name(), r.materials.Register(reflect.TypeFor[T](), m))
}

// RegisterMaterializer makes m the materializer for loading objects that were saved
// under its name. Errors are those of Register.
func (r *Registry) RegisterMaterializer(m material.Materializer) error {
	return wrap(context.Background(), OpRegisterMaterializer, m.Name(), r.materials.Register(nil, m))
}
