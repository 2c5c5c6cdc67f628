package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
)

// The create is applied and its answer is lost. The retry is refused, and the
// save recognizes itself (docs/attacks.md, A1).
func TestCreateWithLostAnswerIsOneSave(t *testing.T) {
	r, fst, _ := faulty(t)
	for _, opts := range [][]SaveOption{nil, {WithVersion("5.0.0")}} {
		fst.Plan(atPut(0, "objects/", faultstore.Fault{After: store.ErrUnknown}))
		v := mustSave(t, r, "m", "x", opts...)
		fst.Plan(nil)
		if got := liveVersions(t, r, "m"); got[len(got)-1] != v.String() {
			t.Errorf("saved as %s, live are %v", v, got)
		}
	}
	if got := liveVersions(t, r, "m"); !slices.Equal(got, []string{"1.0.0", "5.0.0"}) {
		t.Errorf("live versions are %v", got)
	}
}

// The create is delayed, and lands after everything else. One save is one
// version, whatever the order (docs/attacks.md, A2).
func TestLateCreateIsOneVersion(t *testing.T) {
	r, fst, _ := faulty(t)
	fst.Plan(atPut(0, "objects/", faultstore.Fault{Late: true}))
	v := mustSave(t, r, "m", "x")
	fst.Plan(nil)
	fst.Release()
	if got := liveVersions(t, r, "m"); !slices.Equal(got, []string{v.String()}) {
		t.Errorf("one save, live versions are %v", got)
	}

	// Somebody else takes the number in the meantime: the zombie is dead, and
	// the save goes on to the next.
	taken := false
	plan := atPut(0, "objects/", faultstore.Fault{Late: true})
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		f := plan(c)
		if c.Op == "put" && strings.Contains(c.Key, "objects/") && !f.Late && !taken {
			taken = true
			f.Do = func() {
				other := openOn(t, fst, nil)
				mustSave(t, other, "m", "theirs")
			}
		}
		return f
	})
	v = mustSave(t, r, "m", "mine")
	fst.Plan(nil)
	fst.Release()
	if got := liveVersions(t, r, "m"); v.String() != "1.0.2" || !slices.Equal(got, []string{"1.0.0", "1.0.1", "1.0.2"}) {
		t.Errorf("saved as %s, live versions are %v", v, got)
	}
	if got := mustLoad[string](t, r, "m@1.0.1"); got != "theirs" {
		t.Errorf("1.0.1 is %q", got)
	}
}

// The create is applied, its answer is lost, and the version is deleted before
// the saver looks. The tombstone's history shows the nonce
// (docs/attacks.md, A3).
func TestSaveDeletedBeforeItsCheckHasWon(t *testing.T) {
	r, fst, mem := faulty(t)
	other := openOn(t, mem, nil)
	plan := atPut(0, "objects/", faultstore.Fault{After: store.ErrUnknown})
	second := atPut(1, "objects/", faultstore.Fault{Do: func() {
		must[*DeleteReport](t)(other.Delete(context.Background(), "m@1.0.0", nil))
	}})
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		f, g := plan(c), second(c)
		if g.Do != nil {
			return g
		}
		return f
	})
	if v := mustSave(t, r, "m", "x"); v.String() != "1.0.0" {
		t.Errorf("saved as %s: the same save is committed twice", v)
	}
}

// If the store never answers, the error is ErrOutcomeUnknown, with the key and nonce
// to look for, and not a failure (docs/attacks.md, I5).
func TestUnknownOutcomeIsReported(t *testing.T) {
	for _, late := range []bool{false, true} {
		r, fst, _ := faulty(t)
		ctx, cancel := context.WithCancel(t.Context())
		puts := 0
		fst.Plan(func(c faultstore.Call) faultstore.Fault {
			if c.Op != "put" {
				return faultstore.Fault{}
			}
			if puts++; puts == 3 {
				cancel()
			}
			if late {
				return faultstore.Fault{Late: true}
			}
			return faultstore.Fault{Before: store.ErrUnknown}
		})
		_, err := r.Save(ctx, "m", "x")
		wantErr(t, err, ErrOutcomeUnknown)
		wantErr(t, err, context.Canceled)
		oe := (*OutcomeError)(nil)
		if !errors.As(err, &oe) || oe.Key != manifest.VersionKey("m", Version{Major: 1}) {
			t.Fatalf("%v does not say where to look", err)
		}
		fst.Plan(nil)
		fst.Release()
		mine, _, err := r.ledger.Wrote(t.Context(), oe.Key, manifest.Nonce(oe.Nonce))
		if late && (err != nil || !mine) {
			t.Errorf("the late create is not found by its nonce: %v", err)
		}
	}
}

// Every definite failure leaves nothing to be seen, then or later; whatever
// is acknowledged is there. The fault hits each call of a save in turn.
func TestFailureAtEveryCall(t *testing.T) {
	body := noise(1, 20<<20)
	boom := errors.New("boom")
	for _, kind := range []string{"before", "after", "unknown", "cancel"} {
		for n := 0; ; n++ {
			r, fst, mem := faulty(t)
			mustSave(t, r, "m", body[:1<<20])
			ctx, cancel := context.WithCancel(t.Context())
			hit := atomic.Bool{}
			fst.Plan(func(c faultstore.Call) faultstore.Fault {
				if c.N != n {
					return faultstore.Fault{}
				}
				hit.Store(true)
				switch kind {
				case "before":
					return faultstore.Fault{Before: boom}
				case "after":
					if c.Op == "put" { // a put that was applied never claims otherwise
						return faultstore.Fault{After: store.ErrUnknown}
					}
					return faultstore.Fault{After: boom}
				case "unknown":
					return faultstore.Fault{Before: store.ErrUnknown}
				}
				return faultstore.Fault{Do: cancel}
			})
			v, err := r.Save(ctx, "m", body)
			cancel()
			fst.Plan(nil)
			name := fmt.Sprintf("%s at call %d", kind, n)
			check := openOn(t, mem, nil)
			got := liveVersions(t, check, "m")
			switch {
			case err == nil:
				if !slices.Equal(got, []string{"1.0.0", v.String()}) || !slices.Equal(mustLoad[[]byte](t, check, "m"), body) {
					t.Errorf("%s: acknowledged %s, live are %v", name, v, got)
				}
			case !errors.Is(err, ErrOutcomeUnknown):
				if !slices.Equal(got, []string{"1.0.0"}) {
					t.Errorf("%s: failed with %v, but live are %v", name, err, got)
				}
			}
			if rep := must[*VerifyReport](t)(check.Verify(t.Context(), "", nil)); !rep.OK() {
				t.Errorf("%s: %v", name, rep.Problems)
			}
			// And the next save works.
			if v := mustSave(t, check, "m", "next"); v.Patch < 1 {
				t.Errorf("%s: next is %s", name, v)
			}
			if !hit.Load() {
				if n < 5 {
					t.Errorf("only %d calls were hit", n)
				}
				break
			}
		}
	}
}

// twice is a store behind a load balancer that repeats the first put of a
// register.
type twice struct {
	store.Store
	once sync.Once
}

func (s *twice) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if strings.HasPrefix(key, "objects/") {
		s.once.Do(func() { s.Store.Put(ctx, key, body, match) })
	}
	return s.Store.Put(ctx, key, body, match)
}

// A put that was repeated is one save: it is known by its nonce.
func TestRepeatedPutIsOneSave(t *testing.T) {
	mem := newStore(t)
	openOn(t, mem, nil)
	r := openOn(t, &twice{Store: mem}, nil)
	mustSave(t, r, "m", "x")
	if got := liveVersions(t, r, "m"); !slices.Equal(got, []string{"1.0.0"}) {
		t.Errorf("there are %v", got)
	}
}

// Who finds its write in a register's history only has no token to replace
// what others have made of it since.
func TestHistoryGivesNoToken(t *testing.T) {
	r := openOn(t, newStore(t), nil)
	mustSave(t, r, "m", "x")
	f := manifestOf(t, r, "m")
	key := manifest.VersionKey("m", f.Version)
	if mine, info, err := r.ledger.Wrote(t.Context(), key, f.Nonce); !mine || err != nil || info.Token != f.Stored.Token {
		t.Fatalf("own state: %v %q %v", mine, info.Token, err)
	}
	mustDelete(t, r, "m@1.0.0")
	if mine, info, err := r.ledger.Wrote(t.Context(), key, f.Nonce); !mine || err != nil || info.Token != store.Absent {
		t.Fatalf("own state, deleted by others: %v %q %v", mine, info.Token, err)
	}
}

// A store that takes writes and stalls may have applied them: whoever repeats
// one does so once. A try costs twenty seconds, and forty would be a quarter of
// an hour.
func TestWritesToAStallingStore(t *testing.T) {
	stalled := fmt.Errorf("%w: %w", store.ErrUnknown, store.ErrStalled)
	for name, c := range map[string]struct {
		key string // what the writes that stall go to
		do  func(ctx context.Context, r *Registry) error
	}{
		"save": {"objects/", func(ctx context.Context, r *Registry) error {
			_, err := r.Save(ctx, "m", "v2")
			return err
		}},
		"save of a pack": {"packs/", func(ctx context.Context, r *Registry) error {
			_, err := r.Save(ctx, "m", noise(1, 1<<20))
			return err
		}},
		"tag":    {"tags/", func(ctx context.Context, r *Registry) error { return errOf(r.Tag(ctx, "m@1.0.0", "prod", nil)) }},
		"delete": {"objects/", func(ctx context.Context, r *Registry) error { _, err := r.Delete(ctx, "m@1.0.0", nil); return err }},
		"lock": {"locks/", func(ctx context.Context, r *Registry) error {
			_, _, err := r.Lock(ctx, "m", nil)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, fst, _ := faulty(t)
			if _, err := r.Save(t.Context(), "m", "v1"); err != nil {
				t.Fatal(err)
			}
			var puts atomic.Int32
			fst.Plan(func(call faultstore.Call) faultstore.Fault {
				if call.Op != "put" || !strings.Contains(call.Key, c.key) {
					return faultstore.Fault{}
				}
				puts.Add(1)
				return faultstore.Fault{Before: stalled}
			})
			err := c.do(t.Context(), r)
			if !errors.Is(err, store.ErrStalled) || puts.Load() != 2 {
				t.Errorf("%d puts, want 2; %v", puts.Load(), err)
			}
			if name != "save of a pack" && name != "lock" && !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("%v is not ErrOutcomeUnknown", err)
			}
		})
	}
}

// Savers of one name all get through, each with a number of its own
// (docs/attacks.md, A8).
func TestManySaversOfOneNameAllGetThrough(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		const savers, each = 16, 5
		r := openOn(t, st, nil)
		results := make(chan string, savers*each)
		for i := range savers {
			go func() {
				for k := range each {
					v, err := r.Save(context.Background(), "m", fmt.Sprintf("%d/%d", i, k))
					if err != nil {
						results <- err.Error()
						continue
					}
					results <- v.String()
				}
			}()
		}
		var got []string
		for range savers * each {
			got = append(got, <-results)
		}
		want := liveVersions(t, r, "m")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(slices.Compact(got)) != savers*each {
			t.Errorf("acknowledged %v, live %v", got, want)
		}
	})
}
