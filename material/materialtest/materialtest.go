// Package materialtest tests materializers. For one of your own, a test is
//
//	func TestModel(t *testing.T) {
//		values := []*Model{{}, {Name: "resnet", Weights: []float32{0.5, -1}}}
//		materialtest.Run(t, ModelMaterializer, values, nil)
//	}
//
// Take values of every shape: the zero value, nil and empty slices, text that is
// not ASCII. Run makes others of them: with the largest numbers, infinity, text
// that is not UTF-8, and in an any what few formats have. They may be refused when
// they are saved, but not come back as something else.
//
// [Sink] is what the values are saved to: an object in memory, for tests of
// your own beside these.
package materialtest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/material"
)

// Options adjust Run. nil means the zero value.
type Options struct {
	// Compare adjusts the comparison of a value with what was loaded. Without
	// options they must be equal in all fields, exported or not; a nil slice
	// and an empty one differ.
	Compare []cmp.Option

	// Target returns a new target to load into. nil: a pointer to a new value
	// of the type that was saved.
	Target func() any
	// Diff tells in which way a filled target is not what was saved, or "".
	// nil: what target points to is compared by package cmp.
	Diff func(saved, target any) string

	// Nondeterministic allows saves of one value to give different bytes.
	// Objects saved so are stored again and again, and their digests say
	// nothing about the values.
	Nondeterministic bool
}

// Run saves each value with m, loads it again, and holds m to all that
// material.Materializer promises, with a sink and files that break off at
// every point, for example. Each promise is a subtest. The values are saved
// many times: readers will not do.
func Run[T any](t *testing.T, m material.Materializer, values []T, opts *Options) {
	t.Helper()
	if len(values) == 0 {
		t.Fatal("materialtest: no values")
	}
	for i, tr := range trials(t, m, values, opts) {
		t.Run(fmt.Sprintf("value%d", i), func(t *testing.T) {
			for _, c := range checks {
				ok := t.Run(c.name, func(t *testing.T) {
					if err := c.run(tr); err != nil {
						t.Errorf("%s\n%v", c.promise, err)
					}
				})
				if !ok && c.name == "round-trip" {
					return // the others would repeat it
				}
			}
		})
	}
}

func trials[T any](t *testing.T, m material.Materializer, values []T, opts *Options) []*trial {
	var o Options
	if opts != nil {
		o = *opts
	}
	all := make([]*trial, len(values))
	for i, v := range values {
		before := values[(i+len(values)-1)%len(values)]
		all[i] = &trial{ctx: t.Context(), m: m, opts: &o, value: v, before: before}
	}
	return all
}
