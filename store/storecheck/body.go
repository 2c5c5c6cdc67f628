package storecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mindtrace/registry/store"
)

// bodySizes checks clause 14: bodies of all sizes come back unchanged.
func bodySizes(ctx context.Context, e *Env) error {
	var seed [32]byte
	rng := rand.NewChaCha8(seed)
	for i, size := range []int{0, 1, 511, 512, 513, 4096, 65536, 128<<10 + 1, 1 << 20, 5<<20 + 3, store.MaxBody} {
		key := fmt.Sprintf("%ssize/%d", e.Prefix, size)
		body := make([]byte, size)
		rng.Read(body)
		info, err := create(ctx, e.conn(i), key, body)
		if err != nil {
			return fmt.Errorf("put of %d bytes: %w", size, err)
		}
		if info.Size != int64(size) {
			return fmt.Errorf("a put of %d bytes returned the size %d", size, info.Size)
		}
		got, info, err := e.conn(i+1).Get(ctx, key, nil)
		if err != nil {
			return fmt.Errorf("get of %d bytes: %w", size, err)
		}
		if !bytes.Equal(got, body) || info.Size != int64(size) {
			return fmt.Errorf("%d bytes came back as %d, or altered", size, len(got))
		}
	}
	return nil
}

// bodyTooLarge checks clause 14: a body over the limit is refused.
func bodyTooLarge(ctx context.Context, e *Env) error {
	key := e.Prefix + "large"
	if _, err := e.conn(0).Put(ctx, key, make([]byte, store.MaxBody+1), store.Absent); err == nil {
		return errors.New("a body over the limit was accepted")
	}
	if _, err := e.conn(1).Stat(ctx, key); !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("a refused body left something (Stat: %v)", err)
	}
	return nil
}

// cancel checks clause 16. It cancels calls before they begin and at random
// moments while they work. Their results must be true.
func cancel(ctx context.Context, e *Env) error {
	gone, stop := context.WithCancel(ctx)
	stop()
	if _, err := e.conn(0).Put(gone, e.Prefix+"never", []byte("x"), store.Absent); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a Put with a cancelled context: %v, want context.Canceled", err)
	}
	if _, err := e.conn(0).Stat(ctx, e.Prefix+"never"); !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("a Put with a cancelled context left something (Stat: %v)", err)
	}
	if _, _, err := e.conn(0).Get(gone, e.Prefix+"never", nil); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a Get with a cancelled context: %v", err)
	}
	for _, err := range e.conn(0).List(gone, e.Prefix, "") {
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("a List with a cancelled context: %v", err)
		}
	}
	body := make([]byte, 8<<20)
	for i := range e.rounds() {
		key := fmt.Sprintf("%scut/%d", e.Prefix, i)
		c, stop := context.WithTimeout(ctx, rand.N(10*time.Millisecond))
		start := time.Now()
		_, err := e.conn(i).Put(c, key, body, store.Absent)
		<-c.Done()
		late := time.Since(start)
		stop()
		if late > 10*time.Second { // a second, and a slow machine
			return fmt.Errorf("a cancelled Put returned after %s", late)
		}
		if err == nil || errors.Is(err, store.ErrUnknown) {
			continue
		}
		if _, serr := e.conn(i+1).Stat(ctx, key); !errors.Is(serr, store.ErrNotExist) {
			return fmt.Errorf("a cancelled Put returned %q, which means not applied, but the key exists (Stat: %v)", err, serr)
		}
	}
	return nil
}
