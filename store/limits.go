package store

import "errors"

// ErrTooLarge is what Get returns instead of more than MaxBody bytes, or more
// than GetOptions.Most. No Put stored them: it is damage, and must not cost the
// reader's memory.
var ErrTooLarge = errors.New("larger than anything that is stored")
