package store

// Forgetter is what a Store may be besides: one that keeps copies of keys that
// never change and answers from them.
type Forgetter interface {
	// Forget drops what was kept of size bytes of key from offset, since they
	// turned out to be damaged. The next Get of them asks the store below.
	Forget(key string, offset, size int64)
}

// Forget tells st, if it is a Forgetter, or wraps one.
func Forget(st Store, key string, offset, size int64) {
	if f, ok := As[Forgetter](st); ok {
		f.Forget(key, offset, size)
	}
}
