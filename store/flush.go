package store

import "context"

// Flusher is what a Store is besides, if it shows a put before it is durable.
// Whoever builds on a key without having put it, or been refused, flushes it:
// the one who has put it may have been killed before that.
type Flusher interface {
	// Flush returns once what Get and Stat show of key is durable. An absent
	// key is no error.
	Flush(ctx context.Context, key string) error
}

// Flush flushes key on any store.
func Flush(ctx context.Context, st Store, key string) error {
	if f, ok := find[Flusher](st); ok {
		return f.Flush(ctx, key)
	}
	return nil
}
