package store

// Anchorer is what a Store may be besides: one that can look at a key with each
// call, at next to no cost.
type Anchorer interface {
	// Anchor has every call from now on fail with ErrNoRoot unless key is there
	// and check, which is given its body whenever that has changed, returns nil.
	Anchor(key string, check func(body []byte) error)
}

// Anchor asks st, if it is an Anchorer, or wraps one.
func Anchor(st Store, key string, check func(body []byte) error) {
	if a, ok := find[Anchorer](st); ok {
		a.Anchor(key, check)
	}
}
