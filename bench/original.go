package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	registry "github.com/mindtrace/registry"
)

//go:embed original.py
var originalScript string

// shapes are the ways the original's own benchmark suites use a registry, and
// one large object.
var shapes = []struct {
	name, title string
	size        int64
}{
	{"write", "write ceiling: save objects of 64 KiB, each under a name of its own", 64 << 10},
	{"read", "read ceiling: load any of 100 objects of 64 KiB", 64 << 10},
	{"mixed", "mixed: 80 % loads, 20 % saves, of 64 KiB", 64 << 10},
	{"churn", "version churn: save the next version of one of 10 objects of 64 KiB, load the latest", 64 << 10},
	{"large-save", "one large object: save %s from memory", 256 << 20},
	{"large-load", "one large object: load %s into memory", 256 << 20},
}

// original compares with the Python registry, shape by shape.
func (e *env) original(i int) *bcase {
	shape := shapes[i]
	size, limit := shape.size, "1.5"
	if size > 1<<20 {
		size, limit = e.size(size), "2"
	}
	if e.quick {
		limit = "0.5"
	}
	title := shape.title
	if size > 64<<10 {
		title = fmt.Sprintf(title, human(size))
	}
	script, theirs, ours := e.path("original.py"), e.path("theirs"), e.path("registry")
	const mine, other = "mindreg", "mindtrace-registry"
	return &bcase{
		name: "original-" + shape.name, title: "Against the original, local, " + title,
		note:   "Both run in one process each, one operation after the other, through their libraries. The original flushes nothing; mindreg flushes before it answers.",
		rounds: e.rounds(3), loop: true,
		setup: func() error { return os.WriteFile(script, []byte(originalScript), 0o666) },
		clean: remove(script),
		runs: []*competitor{
			{
				name: other, skip: e.tools.original.why, clean: remove(theirs), prepare: func() error { return os.Mkdir(theirs, 0o777) },
				run: func() (sample, error) {
					return command{
						args: []string{e.tools.original.path, script, shape.name, theirs, limit, fmt.Sprint(size)},
						env:  []string{"HOME=" + e.path("home")}, dir: e.dir,
					}.reported()
				},
			},
			{
				name: mine, clean: remove(ours), prepare: func() error { return e.mindreg(ours, "init").must() },
				run: func() (sample, error) {
					return e.worker("original", shape.name, ours, limit, fmt.Sprint(size)).reported()
				},
			},
		},
		targets: []target{faster(mine, 10, other)},
	}
}

// originalWorker: SHAPE REGISTRY SECONDS BYTES, what original.py does.
func originalWorker(ctx context.Context, args []string) (*sample, error) {
	r, err := registry.Open(ctx, args[1], nil)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, number(args[3]))
	io.ReadFull(noise(7), payload)
	rng := rand.New(rand.NewPCG(0, 0))
	var seeds []string
	for i := range 100 {
		seeds = append(seeds, fmt.Sprintf("bench:seed:%08d", i))
	}
	save := func(name string, opts ...registry.SaveOption) error {
		_, err := r.Save(ctx, name, payload, opts...)
		return err
	}
	load := func(name string) error {
		got, err := registry.Load[[]byte](ctx, r, name)
		if err == nil && !bytes.Equal(got, payload) {
			err = errors.New("what was loaded is not what was saved")
		}
		return err
	}
	write := func(i int) error { return save(fmt.Sprintf("bench:%08d", i)) }
	read := func(int) error { return load(seeds[rng.IntN(len(seeds))]) }
	do := map[string]func(int) error{
		"write": write, "read": read,
		"mixed": func(i int) error {
			if rng.Float64() < 0.8 {
				return read(i)
			}
			return write(i)
		},
		"churn": func(i int) error {
			name := fmt.Sprintf("bench:object-%04d", i%10)
			if err := save(name, registry.WithVersion(fmt.Sprint(i/10+1))); err != nil {
				return err
			}
			return load(name)
		},
		"large-save": func(i int) error { return save(fmt.Sprint("large:", i)) },
		"large-load": func(int) error { return load("large:seed") },
	}[args[0]]
	switch args[0] {
	case "read", "mixed":
		for _, name := range seeds {
			if err := save(name); err != nil {
				return nil, err
			}
		}
	case "large-load":
		if err := save("large:seed"); err != nil {
			return nil, err
		}
	}
	var limit float64
	if _, err := fmt.Sscan(args[2], &limit); err != nil {
		return nil, err
	}
	return loopFor(limit, do)
}
