package wrapstore

import "github.com/mindtrace/registry/store"

// Forgetter is an optional interface of stores that cache keys which never
// change.
type Forgetter interface {
	// Forget drops the cached copy of size bytes of key from offset, which are
	// damaged. The next Get of them asks the store below.
	Forget(key string, offset, size int64)
}

// Forget calls Forget of the Forgetter that st is or wraps, if any.
func Forget(st store.Store, key string, offset, size int64) {
	if f, ok := store.As[Forgetter](st); ok {
		f.Forget(key, offset, size)
	}
}
