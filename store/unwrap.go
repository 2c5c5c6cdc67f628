package store

// find returns what st is besides a Store, if it is a T, or wraps one. A store
// that wraps another has a method Unwrap.
func find[T any](st Store) (T, bool) {
	for {
		if t, ok := st.(T); ok {
			return t, true
		}
		w, ok := st.(interface{ Unwrap() Store })
		if !ok {
			var none T
			return none, false
		}
		st = w.Unwrap()
	}
}
