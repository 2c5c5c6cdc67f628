package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

// endingStore ends a context at a call, before the call is made.
type endingStore struct {
	store.Store
	calls atomic.Int64
	at    int64 // number of the call, or 0
	end   func()
}

func (s *endingStore) call() {
	if n := s.calls.Add(1); s.end != nil && n == s.at {
		s.end()
	}
}

func (s *endingStore) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	s.call()
	return s.Store.Get(ctx, key, opts)
}

func (s *endingStore) Stat(ctx context.Context, key string) (store.Info, error) {
	s.call()
	return s.Store.Stat(ctx, key)
}

func (s *endingStore) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	s.call()
	return s.Store.Put(ctx, key, body, match)
}

func (s *endingStore) Delete(ctx context.Context, key string) error {
	s.call()
	return s.Store.Delete(ctx, key)
}

func (s *endingStore) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	s.call()
	return s.Store.List(ctx, prefix, after)
}

func (s *endingStore) Now(ctx context.Context) (time.Time, error) {
	s.call()
	return s.Store.Now(ctx)
}

// endable is a verb, and how to call it.
type endable struct {
	name string // of the method of Registry, or of the function
	do   func(ctx context.Context, r, other *Registry, dir string) error
}

// last returns the last error of a listing.
func last[T any](seq iter.Seq2[T, error]) (err error) {
	for _, err = range seq {
		if err != nil && reflect.TypeOf(err) != reflect.TypeFor[*Error]() {
			return fmt.Errorf("a listing yields a bare %T: %w", err, err)
		}
	}
	return err
}

var endables = []endable{
	{"Save", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Save(ctx, "m", noise(9, 300<<10), WithTag("new"))
		return err
	}},
	{"Save", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Save(ctx, "m", "small", WithIfLatest("1.0.1"))
		return err
	}},
	{"Load", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := Load[[]byte](ctx, r, "m@^1")
		return err
	}},
	{"Load", func(ctx context.Context, r, _ *Registry, dir string) error {
		return r.Load(ctx, "m@prod", Path(filepath.Join(dir, "out")))
	}},
	{"Object", func(ctx context.Context, r, _ *Registry, _ string) error {
		o, err := r.Object(ctx, "m")
		if err != nil {
			return err
		}
		if _, err = fs.ReadFile(o, "data"); err != nil && reflect.TypeOf(err) == reflect.TypeFor[*fs.PathError]() {
			return &Error{Err: err} // as package io/fs has it
		}
		return err
	}},
	{"Update", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := Update(ctx, r, "m", func(old []byte, from *Info) ([]byte, error) {
			if from == nil {
				return nil, errors.New("the version before is not seen")
			}
			return append(old, 1), nil
		})
		return err
	}},
	{"Checkout", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Checkout(ctx, "m", nil)
		return err
	}},
	{"Info", func(ctx context.Context, r, _ *Registry, _ string) error { _, err := r.Info(ctx, "m"); return err }},
	{"Resolve", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Resolve(ctx, "m@^1")
		return err
	}},
	{"Has", func(ctx context.Context, r, _ *Registry, _ string) error {
		ok, err := r.Has(ctx, "m@^1")
		if err == nil && !ok {
			return errors.New("it says that there is none")
		}
		return err
	}},
	{"Objects", func(ctx context.Context, r, _ *Registry, _ string) error { return last(r.Objects(ctx, "")) }},
	{"Latest", func(ctx context.Context, r, _ *Registry, _ string) error { return last(r.Latest(ctx, "")) }},
	{"Versions", func(ctx context.Context, r, _ *Registry, _ string) error { return last(r.Versions(ctx, "m")) }},
	{"AllVersions", func(ctx context.Context, r, _ *Registry, _ string) error { return last(r.AllVersions(ctx, "m")) }},
	{"Tags", func(ctx context.Context, r, _ *Registry, _ string) error { return last(r.Tags(ctx, "m")) }},
	{"Locks", func(ctx context.Context, r, _ *Registry, _ string) error { return last(r.Locks(ctx)) }},
	{"Tag", func(ctx context.Context, r, _ *Registry, _ string) error {
		return errOf(r.Tag(ctx, "m@1.0.0", "prod", nil))
	}},
	{"Untag", func(ctx context.Context, r, _ *Registry, _ string) error {
		return errOf(r.Untag(ctx, "m", "prod", nil))
	}},
	{"TagHistory", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.TagHistory(ctx, "m", "prod")
		return err
	}},
	{"Delete", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Delete(ctx, "m@*", &DeleteOptions{Force: true})
		return err
	}},
	{"Undelete", func(ctx context.Context, r, _ *Registry, _ string) error {
		return errOf(r.Undelete(ctx, "gone@1.0.0", nil))
	}},
	{"Purge", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Purge(ctx, "gone@1.0.0", nil)
		return err
	}},
	{"Prune", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Prune(ctx, &PruneOptions{KeepLast: 1})
		return err
	}},
	{"GC", func(ctx context.Context, r, _ *Registry, _ string) error { _, err := r.GC(ctx, nil); return err }},
	{"Verify", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := r.Verify(ctx, "", nil)
		return err
	}},
	{"Repair", func(ctx context.Context, r, other *Registry, _ string) error {
		_, err := r.Repair(ctx, "", other, nil)
		return err
	}},
	{"Copy", func(ctx context.Context, r, other *Registry, _ string) error {
		_, err := Copy(ctx, other, r, "m", nil)
		return err
	}},
	{"Lock", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, unlock, err := r.Lock(ctx, "m", nil)
		if err == nil {
			err = unlock()
		}
		return err
	}},
	{"RLock", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, unlock, err := r.RLock(ctx, "m", nil)
		if err == nil {
			err = unlock()
		}
		return err
	}},
	{"BreakLock", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, unlock, err := r.Lock(context.Background(), "held", nil)
		if err != nil {
			return err
		}
		defer unlock()
		return errOf(r.BreakLock(ctx, "held", &BreakLockOptions{Why: "test"}))
	}},
	{"Open", func(ctx context.Context, r, _ *Registry, _ string) error {
		_, err := OpenStore(ctx, r.ledger.Store, "test:", nil)
		return err
	}},
}

// Every method of Registry that takes a context is among them.
func TestEndablesAreComplete(t *testing.T) {
	for m := range reflect.TypeFor[*Registry]().Methods() {
		if m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[context.Context]() {
			continue
		}
		found := false
		for _, e := range endables {
			found = found || e.name == m.Name
		}
		if !found {
			t.Errorf("Registry.%s is not tested with a context that ends", m.Name)
		}
	}
}

// ending is a way in which a context ends.
type ending struct {
	name  string
	state error
	cause error
	make  func(context.Context) (context.Context, func())
}

var errGivenUp = errors.New("given up")

func cancelWith(cause error) ending {
	return ending{fmt.Sprintf("canceled with %v", cause), context.Canceled, cause, func(ctx context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(ctx)
		return ctx, func() { cancel(cause) }
	}}
}

func deadlineWith(cause error) ending {
	return ending{fmt.Sprintf("deadline with %v", cause), context.DeadlineExceeded, cause, func(ctx context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeoutCause(ctx, 300*time.Hour, cause)
		context.AfterFunc(ctx, cancel)
		return ctx, func() { time.Sleep(301 * time.Hour) }
	}}
}

// The causes that mean something else, too, are those that could be taken for
// it.
var cancels = []ending{cancelWith(nil), cancelWith(errGivenUp), cancelWith(ErrNotFound), cancelWith(fs.ErrNotExist), cancelWith(store.ErrPrecondition)}

// What a context that ends makes of a verb is an *Error, which is
// context.Canceled or context.DeadlineExceeded, and its cause, whenever it ends.
func TestEveryVerbEndsWithItsContext(t *testing.T) {
	t.Parallel()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		for _, verb := range endables {
			endVerb(t, verb, cancels[1:2], false, func() store.Store {
				st, err := filestore.New(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				return st
			})
		}
	})
	t.Run("mem", func(t *testing.T) {
		t.Parallel()
		cancels := cancels
		if testing.Short() {
			cancels = cancels[1:3]
		}
		for _, verb := range endables {
			endVerb(t, verb, cancels, true, func() store.Store { return newStore(t) })
			if !strings.HasSuffix(verb.name, "Lock") { // which would be lost meanwhile
				synctest.Test(t, func(t *testing.T) {
					endVerb(t, verb, []ending{deadlineWith(nil), deadlineWith(errGivenUp)}, true, func() store.Store { return newStore(t) })
				})
			}
		}
	})
}

// endVerb has a verb's context end before it is called, and before its calls of
// the store: all of them, or some. All of them come with the first of the endings.
func endVerb(t *testing.T, verb endable, endings []ending, all bool, newStore func() store.Store) {
	t.Helper()
	for i, e := range endings {
		ended, step := 0, int64(1)
		for at := int64(0); ; at += step {
			st := &endingStore{Store: newStore(), at: at}
			r, other, dir := endableRegistry(t, st)
			ctx, end := e.make(t.Context())
			st.calls.Store(0)
			if st.end = end; at == 0 {
				end()
			}
			err := verb.do(ctx, r, other, dir)
			if err == nil && ctx.Err() == nil {
				end()
				break // it makes no more calls
			}
			switch {
			case err == nil && at == 0:
				t.Errorf("%s, %s before: no error", verb.name, e.name)
			case err != nil && (reflect.TypeOf(err) != reflect.TypeFor[*Error]() || !errors.Is(err, e.state) || e.cause != nil && !errors.Is(err, e.cause)):
				t.Errorf("%s, %s at call %d of the store: %T: %[4]v", verb.name, e.name, at, err)
			case err != nil:
				ended++
			}
			switch {
			case at == 0: // all go on at the first call
			case !all:
				step = 7
			case i > 0: // other causes take the same ways
				step = 3
			}
		}
		if ended == 0 {
			t.Errorf("%s, %s: it is never ended", verb.name, e.name)
		}
	}
}

// endableRegistry is a registry in which each verb has something to do.
func endableRegistry(t *testing.T, st store.Store) (r, other *Registry, dir string) {
	t.Helper()
	dir = t.TempDir()
	c, err := cache.Open(&cache.Options{Dir: filepath.Join(dir, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = OpenStore(t.Context(), st, "test:", &Options{Create: true, Cache: c}); err != nil {
		t.Fatal(err)
	}
	other, _ = inMemory(t)
	mustSave(t, r, "m", noise(1, 200<<10))
	mustSave(t, r, "m", noise(2, 200<<10))
	mustSave(t, r, "gone", strings.Repeat("x", 10))
	must[*DeleteReport](t)(r.Delete(t.Context(), "gone@*", nil))
	if _, err := r.Tag(t.Context(), "m", "prod", nil); err != nil {
		t.Fatal(err)
	}
	return r, other, dir
}

// What takes no context fails with an *Error, too.
func TestFunctionsFailWithAnError(t *testing.T) {
	r, _ := inMemory(t)
	_, refErr := ParseRef("my_model@1")
	_, versionErr := ParseVersion("one")
	for what, test := range map[string]struct{ err, is error }{
		"ParseRef":       {refErr, ErrInvalidName},
		"ParseVersion":   {versionErr, ErrInvalidVersion},
		"Register":       {Register[string](r, material.Func[int]("number", nil, nil)), ErrType},
		"DecodeMetadata": {(&Info{Metadata: []byte("1")}).DecodeMetadata(new(string)), nil},
	} {
		if reflect.TypeOf(test.err) != reflect.TypeFor[*Error]() || test.is != nil && !errors.Is(test.err, test.is) {
			t.Errorf("%s: %T: %[2]v", what, test.err)
		}
	}
}
