package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/tracestore"
)

func mustLock(t *testing.T, ctx context.Context, r *Registry, name string, o *LockOptions) (context.Context, func() error) {
	t.Helper()
	locked, unlock, err := r.Lock(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return locked, unlock
}

func mustRLock(t *testing.T, ctx context.Context, r *Registry, name string, o *LockOptions) (context.Context, func() error) {
	t.Helper()
	locked, unlock, err := r.RLock(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return locked, unlock
}

func mustUnlock(t *testing.T, unlock func() error) {
	t.Helper()
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// What locks cost, request by request.
func TestRequestsForLocks(t *testing.T) {
	onEveryStore(t, func(t *testing.T, st store.Store) {
		trace := tracestore.New(st)
		var b strings.Builder
		nonces := regexp.MustCompile(`[0-9a-f]{32}`)
		step := func(title string, do func()) {
			trace.Reset()
			do()
			fmt.Fprintf(&b, "# %s\n%s\n", title, nonces.ReplaceAllString(trace.String(), "<nonce>"))
		}
		r := openOn(t, trace, strict)
		var unlock func() error
		step("lock for the first time", func() { _, unlock = mustLock(t, t.Context(), r, "job", nil) })
		step("unlock", func() { mustUnlock(t, unlock) })
		step("lock again", func() { _, unlock = mustLock(t, t.Context(), r, "job", nil) })
		step("list locks", func() { locksOf(t, r) })
		step("fail to lock", func() { r.RLock(t.Context(), "job", &LockOptions{Timeout: NoWait}) })
		mustUnlock(t, unlock)
		step("lock shared", func() { _, unlock = mustRLock(t, t.Context(), r, "job", nil) })
		step("unlock shared", func() { mustUnlock(t, unlock) })
		r = openOn(t, trace, nil)
		step("lock in another process", func() { _, unlock = mustLock(t, t.Context(), r, "job", nil) })
		step("break it", func() {
			if _, err := r.BreakLock(t.Context(), "job", nil); err != nil {
				t.Fatal(err)
			}
		})
		wantErr(t, unlock(), ErrLockLost)
		step("strict: first save of a process", func() { mustSave(t, r, "my:model", "first") })
		step("strict: later save", func() { mustSave(t, r, "my:model", "second") })
		step("strict: load the latest", func() { mustLoad[string](t, r, "my:model") })
		golden(t, "requests-locks.txt", b.String())
	})
}

func locksOf(t *testing.T, r *Registry) []LockInfo {
	t.Helper()
	var all []LockInfo
	for l, err := range r.Locks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// The context of a lock takes part in what is done under it: nothing waits for
// itself, and what cannot work is an error instead.
func TestNestedLocks(t *testing.T) {
	st := newStore(t)
	r := openOn(t, st, strict)
	mustSave(t, r, "m", "first")
	again := openOn(t, st, strict) // the same registry
	ctx, unlock := mustLock(t, t.Context(), r, "m", nil)
	if LockEpoch(ctx) != 2 || LockEpoch(t.Context()) != 0 {
		t.Errorf("epochs %d and %d, want 2 and 0", LockEpoch(ctx), LockEpoch(t.Context()))
	}
	if _, err := r.Save(ctx, "m", "second"); err != nil {
		t.Error(err)
	}
	if err := again.Load(ctx, "m", new(string)); err != nil {
		t.Error(err)
	}
	inner, unlockInner := mustLock(t, ctx, again, "m", nil)
	mustUnlock(t, unlockInner)
	if err := inner.Err(); err != nil {
		t.Errorf("the inner unlock ended the outer lock: %v", err)
	}
	other, unlockOther := mustLock(t, ctx, r, "other", nil)
	if LockEpoch(other) != 1 {
		t.Errorf("the inner epoch is %d, want 1", LockEpoch(other))
	}
	mustUnlock(t, unlockOther)
	mustUnlock(t, unlock)
	_, err := r.Save(ctx, "m", "third")
	wantErr(t, err, context.Canceled)

	ctx, unlock = mustRLock(t, t.Context(), r, "m", nil)
	if err := r.Load(ctx, "m", new(string)); err != nil {
		t.Error(err)
	}
	if _, err := r.Save(ctx, "m", "third"); err == nil || !strings.Contains(err.Error(), "shared lock") {
		t.Errorf("save under a shared lock: %v", err)
	}
	mustUnlock(t, unlock)
	if got := mustLoad[string](t, r, "m"); got != "second" {
		t.Errorf("the object is %q", got)
	}
}

// The kind of locking is fixed when a registry is made.
func TestLockingIsFixed(t *testing.T) {
	st := newStore(t)
	if _, err := OpenStore(t.Context(), st, "test:", &Options{Create: true, Locking: "loose"}); err == nil {
		t.Error("a registry with unknown locking was made")
	}
	if n := len(keysOf(t, st)); n != 0 {
		t.Errorf("%d keys were written", n)
	}
	if got := openOn(t, st, nil).Locking(); got != "" {
		t.Errorf("locking is %q", got)
	}
	if _, err := OpenStore(t.Context(), st, "test:", strict); err == nil {
		t.Error("a registry without locking was opened as a strict one")
	}
	if got := openOn(t, newStore(t), strict).Locking(); got != "strict" {
		t.Errorf("locking is %q", got)
	}
}

func TestLockErrors(t *testing.T) {
	r, st := inMemory(t)
	for _, lock := range []func(context.Context, string, *LockOptions) (context.Context, func() error, error){r.Lock, r.RLock} {
		for _, c := range []struct {
			name string
			o    *LockOptions
			want error
		}{
			{"my_model", nil, ErrInvalidName},
			{"m", &LockOptions{TTL: time.Second}, nil},
			{"m", &LockOptions{TTL: 25 * time.Hour}, nil},
			{"m", &LockOptions{Why: strings.Repeat("x", manifest.MaxLockWhy+1)}, nil},
		} {
			_, unlock, err := lock(t.Context(), c.name, c.o)
			if err == nil || unlock != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("locking %s with %+v: %v", c.name, c.o, err)
			}
		}
	}
	wantErr(t, errOf(r.BreakLock(t.Context(), "m", nil)), ErrNotFound)
	wantErr(t, errOf(r.BreakLock(t.Context(), "my_model", nil)), ErrInvalidName)
	_, unlock := mustLock(t, t.Context(), r, "m", nil)
	_, _, err := openOn(t, st, nil).Lock(t.Context(), "m", &LockOptions{Timeout: NoWait})
	wantErr(t, err, ErrLockTimeout)
	if te := (*LockTimeoutError)(nil); !errors.As(err, &te) || te.Holder.PID == 0 {
		t.Errorf("error %v does not tell who", err)
	}
	mustUnlock(t, unlock)
	overwrite(t, st, manifest.LockKey("m"), func(b []byte) []byte { return b[:10] })
	_, _, err = r.RLock(t.Context(), "m", nil)
	wantErr(t, err, ErrIntegrity)
}

// A lock that is damaged, or at the end of its epochs, is told with what to do,
// hides no other, and goes on from there with a greater epoch than any before.
func TestDamagedLockIsMended(t *testing.T) {
	damages := map[string]func([]byte) []byte{"last": func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"epoch":1`), []byte(`"epoch":9007199254740991`), 1)
	}}
	for name, damage := range harm {
		damages[name] = damage
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			r, st := inMemory(t)
			take := func(lock string) (uint64, error) {
				ctx, unlock, err := r.Lock(t.Context(), lock, nil)
				if err != nil {
					return 0, err
				}
				return LockEpoch(ctx), unlock()
			}
			for _, lock := range []string{"a", "bad", "z"} {
				must[uint64](t)(take(lock))
			}
			overwrite(t, st, manifest.LockKey("bad"), damage)
			r = openOn(t, st, nil)
			_, err := take("bad")
			if wantErr(t, err, ErrIntegrity); err != nil && !strings.Contains(err.Error(), "lock break") && name == "last" {
				t.Errorf("it does not say what to do: %v", err)
			}
			n := 0
			for l, err := range r.Locks(t.Context()) {
				if err == nil {
					n++
				} else if !errors.As(err, new(*UnreadableError)) || l.Name != "bad" {
					t.Errorf("listing locks: %v", err)
				}
			}
			if n < 2 {
				t.Errorf("%d locks are listed", n)
			}
			if _, err := r.BreakLock(t.Context(), "bad", &BreakLockOptions{Why: "damaged"}); err != nil {
				t.Fatal(err)
			}
			first := must[uint64](t)(take("bad"))
			second := must[uint64](t)(take("bad"))
			if first < 1_000_000_000_000_000 || second != first+1 || second >= manifest.MaxEpoch {
				t.Errorf("epochs %d, %d", first, second)
			}
		})
	}
}
