package wrapstore

import "github.com/mindtrace/registry/store"

// Forgetter is an optional interface of stores that keep copies of keys, which never
// change, and answer from them.
type Forgetter interface {
	// Forget drops what was kept of size bytes of key from offset, since they
	// turned out to be damaged. The next Get of them asks the store below.
	Forget(key string, offset, size int64)
}

// Forget tells st, if it is a Forgetter, or wraps one.
func Forget(st store.Store, key string, offset, size int64) {
	if f, ok := store.As[Forgetter](st); ok {
		f.Forget(key, offset, size)
	}
}
