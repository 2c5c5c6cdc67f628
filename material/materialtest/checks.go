package materialtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/material"
)

// check tests one promise of a materializer.
type check struct {
	name    string
	promise string
	run     func(*trial) error
}

var checks = []check{
	{"name", "Name is valid, and always the same.", name},
	{"round-trip", "What was saved is loaded again.", roundTrip},
	{"any-value", "Any value of the type is loaded again, or Save refuses it.", anyValue},
	{"replace", "Load leaves nothing of what the target held before.", replace},
	{"wrong-value", "Save of a value of a wrong type is ErrType, before a stream is created.", wrongValue},
	{"wrong-target", "Load into a target of a wrong type is ErrType.", wrongTarget},
	{"same-bytes", "A value that is saved again gives the same bytes.", sameBytes},
	{"short-reads", "Load does not mind how many bytes a Read returns.", shortReads},
	{"read-errors", "Load passes on the errors of the file system.", readErrors},
	{"write-errors", "Save passes on the errors of the sink.", writeErrors},
	{"cancel", "Save ends with the context.", cancel},
	{"concurrent", "Save and Load may be called by many goroutines at once.", concurrent},
}

// trial is one value with which a materializer is tested.
type trial struct {
	ctx    context.Context
	m      material.Materializer
	opts   *Options
	value  any
	before any // another value, or the same
}

// stranger is a type that no materializer knows.
type stranger chan struct{}

// attempt calls a materializer, and makes an error of a panic.
func attempt(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

func (t *trial) saveTo(ctx context.Context, s *Sink, v any) error {
	return attempt(func() error { return t.m.Save(ctx, s, v) })
}

// save saves the value and returns the object.
func (t *trial) save() (fs.FS, error) {
	s := new(Sink)
	if err := t.saveTo(t.ctx, s, t.value); err != nil {
		return nil, fmt.Errorf("Save(%T): %w", t.value, err)
	}
	return s.FS(), s.Err()
}

func (t *trial) load(src fs.FS, into any) error {
	return attempt(func() error { return t.m.Load(t.ctx, src, into) })
}

func (t *trial) target() any {
	if t.opts.Target != nil {
		return t.opts.Target()
	}
	return reflect.New(reflect.TypeOf(t.value)).Interface()
}

// diff returns how what was loaded differs from the value, as an error, or nil.
func (t *trial) diff(target any) error {
	var diff string
	if t.opts.Diff != nil {
		diff = t.opts.Diff(t.value, target)
	} else {
		loaded := reflect.ValueOf(target).Elem().Interface()
		if reflect.DeepEqual(t.value, loaded) {
			return nil // which cmp would take seconds to find of a large value
		}
		all := cmp.Exporter(func(reflect.Type) bool { return true })
		diff = cmp.Diff(t.value, loaded, append([]cmp.Option{all}, t.opts.Compare...)...)
	}
	if diff != "" {
		return fmt.Errorf("loaded another value than was saved (-saved +loaded):\n%s", diff)
	}
	return nil
}

func name(t *trial) error {
	name := t.m.Name()
	if err := material.CheckName(name); err != nil {
		return err
	}
	t.saveTo(t.ctx, new(Sink), t.value) // whether it works is another question
	if again := t.m.Name(); again != name {
		return fmt.Errorf("it was %q, and then %q", name, again)
	}
	return nil
}

func roundTrip(t *trial) error {
	src, err := t.save()
	if err != nil {
		return err
	}
	target := t.target()
	if err := t.load(src, target); err != nil {
		return fmt.Errorf("Load(%T): %w", target, err)
	}
	return t.diff(target)
}

func replace(t *trial) error {
	if t.opts.Target != nil || reflect.TypeOf(t.value) != reflect.TypeOf(t.before) {
		return nil // nothing is known about the target
	}
	first := *t
	first.value = t.before
	src, err := first.save()
	if err != nil {
		return err
	}
	target := t.target()
	if err := t.load(src, target); err != nil {
		return err
	}
	if src, err = t.save(); err != nil {
		return err
	}
	if err := t.load(src, target); err != nil {
		return err
	}
	return t.diff(target)
}

func wrongValue(t *trial) error {
	s := new(Sink)
	err := t.saveTo(t.ctx, s, make(stranger))
	if !errors.Is(err, material.ErrType) {
		return fmt.Errorf("Save(%T) = %v", stranger(nil), err)
	}
	if s.calls > 0 {
		return errors.New("the sink was called")
	}
	return nil
}

func wrongTarget(t *trial) error {
	src, err := t.save()
	if err != nil {
		return err
	}
	for _, into := range []any{nil, make(stranger), new(stranger)} {
		if err := t.load(src, into); !errors.Is(err, material.ErrType) {
			return fmt.Errorf("Load(%T) = %v", into, err)
		}
	}
	return nil
}

func sameBytes(t *trial) error {
	if t.opts.Nondeterministic {
		return nil
	}
	first := new(Sink)
	if err := t.saveTo(t.ctx, first, t.value); err != nil {
		return err
	}
	for range 8 { // the order of a small map is the same now and then
		again := new(Sink)
		if err := t.saveTo(t.ctx, again, t.value); err != nil {
			return err
		}
		if err := sameTree(first.tree, again.tree); err != nil {
			return err
		}
	}
	return nil
}

func sameTree(a, b fstest.MapFS) error {
	names := func(m fstest.MapFS) []string { return slices.Sorted(maps.Keys(m)) }
	if !slices.Equal(names(a), names(b)) {
		return fmt.Errorf("streams %q, and then %q", names(a), names(b))
	}
	for _, name := range names(a) {
		if a[name].Mode != b[name].Mode {
			return fmt.Errorf("%s has mode %v, and then %v", name, a[name].Mode, b[name].Mode)
		}
		if !bytes.Equal(a[name].Data, b[name].Data) {
			return fmt.Errorf("%s has other bytes (-first +again):\n%s", name, cmp.Diff(a[name].Data, b[name].Data))
		}
	}
	return nil
}

func shortReads(t *trial) error {
	src, err := t.save()
	if err != nil {
		return err
	}
	for _, f := range []*faultFS{{FS: src, atOnce: 1}, {FS: src, atOnce: 3, eofWithData: true}} {
		target := t.target()
		if err := t.load(f, target); err != nil {
			return fmt.Errorf("with %d bytes at a time: %w", f.atOnce, err)
		}
		if err := t.diff(target); err != nil {
			return fmt.Errorf("with %d bytes at a time: %w", f.atOnce, err)
		}
	}
	return nil
}

func readErrors(t *trial) error {
	s := new(Sink)
	if err := t.saveTo(t.ctx, s, t.value); err != nil {
		return err
	}
	atOnce := s.size()/20 + 1
	intact := &faultFS{FS: s.FS(), atOnce: atOnce}
	if err := t.load(intact, t.target()); err != nil {
		return err
	}
	for n, once := range sample(intact.calls) {
		target := t.target()
		f := &faultFS{FS: s.FS(), atOnce: atOnce, failAt: n, once: once}
		err := t.load(f, target)
		switch {
		case err == nil && t.diff(target) != nil:
			return fmt.Errorf("%s failed, and Load returned no error and part of the value", f.failed)
		case err != nil && !errors.Is(err, errInjected):
			return fmt.Errorf("%s failed, and errors.Is does not find its error in: %w", f.failed, err)
		}
	}
	return nil
}

func writeErrors(t *trial) error {
	intact := new(Sink)
	if err := t.saveTo(t.ctx, intact, t.value); err != nil {
		return err
	}
	for n, once := range sample(intact.calls) {
		s := &Sink{failAt: n, once: once}
		err := t.saveTo(t.ctx, s, t.value)
		if s.failed == "" { // it wrote in fewer pieces than the first time, and no call came to fail
			continue
		}
		if !errors.Is(err, errInjected) {
			return fmt.Errorf("%s failed, and errors.Is does not find its error in: %w", s.failed, err)
		}
	}
	return nil
}

func cancel(t *trial) error {
	ctx, stop := context.WithCancel(t.ctx)
	stop()
	s := &Sink{ctx: ctx}
	err := t.saveTo(ctx, s, t.value)
	if s.calls == 0 && err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("a cancelled Save returns %v, not context.Canceled", err)
}

func concurrent(t *trial) error {
	errs, targets := make([]error, 4), make([]any, 4)
	for i := range targets {
		targets[i] = t.target()
	}
	var wg sync.WaitGroup
	for i, target := range targets {
		wg.Go(func() {
			src, err := t.save()
			if err == nil {
				err = t.load(src, target)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, target := range targets {
		if errs[i] == nil {
			errs[i] = t.diff(target)
		}
	}
	return errors.Join(errs...)
}
