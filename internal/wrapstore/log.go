package wrapstore

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/mindtrace/registry/store"
)

// Log returns st with a wrapper that writes every request to log, at level
// Debug.
func Log(st store.Store, log *slog.Logger) store.Store {
	return logged{st, log}
}

type logged struct {
	st  store.Store
	log *slog.Logger
}

// Unwrap returns the store below.
func (l logged) Unwrap() store.Store { return l.st }

func (l logged) note(ctx context.Context, start time.Time, op, key string, n int64, err error) {
	attrs := []slog.Attr{slog.String("key", key), slog.Int64("bytes", n), slog.Duration("took", time.Since(start).Round(time.Microsecond))}
	switch {
	case errors.Is(err, store.ErrPrecondition):
		attrs = append(attrs, slog.String("result", "refused"))
	case errors.Is(err, store.ErrNotExist):
		attrs = append(attrs, slog.String("result", "absent"))
	case err != nil:
		attrs = append(attrs, slog.Any("error", err))
	}
	l.log.LogAttrs(ctx, slog.LevelDebug, op, attrs...)
}

func (l logged) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	start := time.Now()
	body, info, err := l.st.Get(ctx, key, opts)
	l.note(ctx, start, "get", key, int64(len(body)), err)
	return body, info, err
}

func (l logged) Stat(ctx context.Context, key string) (store.Info, error) {
	start := time.Now()
	info, err := l.st.Stat(ctx, key)
	l.note(ctx, start, "stat", key, info.Size, err)
	return info, err
}

func (l logged) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	start := time.Now()
	info, err := l.st.Put(ctx, key, body, match)
	l.note(ctx, start, "put", key, int64(len(body)), err)
	return info, err
}

func (l logged) Delete(ctx context.Context, key string) error {
	start := time.Now()
	err := l.st.Delete(ctx, key)
	l.note(ctx, start, "delete", key, 0, err)
	return err
}

func (l logged) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		start, keys, failed := time.Now(), int64(0), error(nil)
		for info, err := range l.st.List(ctx, prefix, after) {
			keys++
			failed = err
			if !yield(info, err) {
				break
			}
		}
		l.note(ctx, start, "list", prefix, keys, failed)
	}
}

func (l logged) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	below := KeysBelow(ctx, l.st, prefix, after)
	if below == nil {
		return nil
	}
	return func(yield func(string, error) bool) {
		start, keys, failed := time.Now(), int64(0), error(nil)
		for key, err := range below {
			keys++
			failed = err
			if !yield(key, err) {
				break
			}
		}
		l.note(ctx, start, "list", prefix, keys, failed)
	}
}

func (l logged) Now(ctx context.Context) (time.Time, error) {
	start := time.Now()
	at, err := l.st.Now(ctx)
	l.note(ctx, start, "now", "", 0, err)
	return at, err
}

func (l logged) Stage(ctx context.Context, key string, body []byte) (store.Staged, error) {
	return StageBelow(ctx, l.st, key, body, func(s store.Staged) store.Staged { return loggedStage{s, l, int64(len(body))} })
}

type loggedStage struct {
	store.Staged
	l    logged
	size int64
}

func (s loggedStage) Commit(ctx context.Context, key string) (store.Info, error) {
	start := time.Now()
	info, err := s.Staged.Commit(ctx, key)
	s.l.note(ctx, start, "put", key, s.size, err)
	return info, err
}
