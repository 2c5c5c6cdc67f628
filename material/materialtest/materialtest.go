// Package materialtest tests materializers: Go tests call it. For a materializer of
// your own, write
//
//	func TestModel(t *testing.T) {
//		values := []*Model{{}, {Name: "resnet", Weights: []float32{0.5, -1}}}
//		materialtest.Run(t, ModelMaterializer, values, nil)
//	}
//
// Use values of every shape: the zero value, nil and empty slices, text that is not
// ASCII. [Run] also makes variants of them: with the largest numbers, infinity,
// text that is not UTF-8, and types in an any that few formats have. A materializer
// may refuse a variant, but must not load another value than it has saved.
//
// [Sink] is an object in memory. Run saves to it, and tests of your own can, too.
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
	// options, all fields must be equal, exported or not, and a nil slice is
	// different from an empty one.
	Compare []cmp.Option

	// Target returns a new target to load into. nil means a pointer to a new value
	// of the type that was saved.
	Target func() any
	// Diff returns how a filled target differs from what was saved, or "". nil
	// means that package cmp compares what target points to.
	Diff func(saved, target any) string

	// Nondeterministic allows saves of one value to write different bytes. Then
	// equal values are stored again, and have different digests.
	Nondeterministic bool
}

// Run saves each value with m, loads it again, and checks everything that
// material.Materializer promises. For example, it makes every call of the sink and
// of the files fail once. Each promise is a subtest. Run saves each value many
// times, so values cannot be readers.
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
