package materialtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mindtrace/registry/material"
)

// config is what the materializers here save: two files, so that there is
// something between them.
type config struct {
	Name  string
	Limit map[string]int
}

// spec is a correct materializer of *config that tests break in one place.
type spec struct {
	name func() string
	save func(ctx context.Context, dst material.Sink, c *config) error
	load func(ctx context.Context, src fs.FS, into *config) error
	any  bool // takes a wrong value, and a wrong target, and does nothing
	late bool // refuses a wrong value after it has created a stream
}

func (s *spec) Name() string {
	if s.name != nil {
		return s.name()
	}
	return "config"
}

func (s *spec) Save(ctx context.Context, dst material.Sink, v any) error {
	c, ok := v.(*config)
	switch {
	case !ok && s.any:
		return nil
	case !ok && s.late:
		return errors.Join(put(dst, "name", nil), material.ErrType)
	case !ok:
		return material.ErrType
	case s.save != nil:
		return s.save(ctx, dst, c)
	}
	return saveConfig(ctx, dst, c)
}

func (s *spec) Load(ctx context.Context, src fs.FS, into any) error {
	p, ok := into.(**config)
	switch {
	case !ok && s.any:
		return nil
	case !ok:
		return material.ErrType
	case s.load != nil:
		if *p == nil {
			*p = new(config)
		}
		return s.load(ctx, src, *p)
	}
	*p = new(config)
	return loadConfig(ctx, src, *p)
}

func put(dst material.Sink, name string, b []byte) error {
	w, err := dst.Create(name)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Close()
}

func saveConfig(_ context.Context, dst material.Sink, c *config) error {
	if err := put(dst, "name", []byte(c.Name)); err != nil {
		return err
	}
	b, err := json.Marshal(c.Limit)
	if err != nil {
		return err
	}
	return put(dst, "limit/all.json", b)
}

func loadConfig(_ context.Context, src fs.FS, into *config) error {
	name, err := fs.ReadFile(src, "name")
	if err != nil {
		return err
	}
	b, err := fs.ReadFile(src, "limit/all.json")
	if err != nil {
		return err
	}
	into.Name = string(name)
	return json.Unmarshal(b, &into.Limit)
}

func configs() []*config {
	return []*config{
		{Name: "first", Limit: map[string]int{"a": 1}},
		{Name: "second", Limit: map[string]int{"b": 2, "c": 3, "d": 4, "e": 5, "f": 6}},
		{},
	}
}

// failing returns the names of the checks that m fails.
func failing(t *testing.T, m material.Materializer, opts *Options) []string {
	found := map[string]bool{}
	for _, tr := range trials(t, m, configs(), opts) {
		for _, c := range checks {
			if err := c.run(tr); err != nil {
				t.Logf("%s: %v", c.name, err)
				found[c.name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func TestCorrectMaterializerPasses(t *testing.T) {
	if got := failing(t, &spec{}, nil); len(got) > 0 {
		t.Errorf("a correct materializer fails %q", got)
	}
	Run(t, &spec{}, configs(), nil)
}

// Each entry breaks one promise, which the check of that name must notice.
// Some faults are noticed by others as well.
func TestEveryCheckNotices(t *testing.T) {
	names := 0
	var busy atomic.Int32
	for what, test := range map[string]struct {
		m     *spec
		check string
	}{
		"underscore in the name": {&spec{name: func() string { return "my_config" }}, "name"},
		"name with a counter":    {&spec{name: func() string { names++; return fmt.Sprint("config", names) }}, "name"},
		"save fails": {&spec{save: func(context.Context, material.Sink, *config) error {
			return errors.New("no")
		}}, "round-trip"},
		"save panics": {&spec{save: func(context.Context, material.Sink, *config) error {
			panic("no")
		}}, "round-trip"},
		"a field is forgotten": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			return saveConfig(ctx, dst, &config{Limit: c.Limit})
		}}, "round-trip"},
		"invalid stream name": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			put(dst, "../name", nil)
			return saveConfig(ctx, dst, c)
		}}, "round-trip"},
		"two streams open": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			w, err := dst.Create("name")
			if err != nil {
				return err
			}
			defer w.Close()
			if err := put(dst, "limit/all.json", []byte("{}")); err != nil {
				return err
			}
			_, err = io.WriteString(w, c.Name)
			return err
		}}, "round-trip"},
		"stream left open": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := saveConfig(ctx, dst, c); err != nil {
				return err
			}
			_, err := dst.Create("forgotten")
			return err
		}}, "round-trip"},
		"large numbers are rounded": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := put(dst, "name", []byte(c.Name)); err != nil {
				return err
			}
			rounded := map[string]int{}
			for k, n := range c.Limit {
				rounded[k] = int(float32(n))
			}
			b, err := json.Marshal(rounded)
			if err != nil {
				return err
			}
			return put(dst, "limit/all.json", b)
		}}, "any-value"},
		"text is cleaned": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			return saveConfig(ctx, dst, &config{strings.ToValidUTF8(c.Name, "?"), c.Limit})
		}}, "any-value"},
		"maps are merged":  {&spec{load: loadConfig}, "replace"},
		"anything goes":    {&spec{any: true}, "wrong-value"},
		"refuses too late": {&spec{late: true}, "wrong-value"},
		"anywhere goes":    {&spec{any: true}, "wrong-target"},
		"random bytes": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := saveConfig(ctx, dst, c); err != nil {
				return err
			}
			return put(dst, "id", fmt.Append(nil, rand.Uint64()))
		}}, "same-bytes"},
		"random name": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := saveConfig(ctx, dst, c); err != nil {
				return err
			}
			return put(dst, fmt.Sprint(rand.Uint64()), nil)
		}}, "same-bytes"},
		"random mode": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := saveConfig(ctx, dst, c); err != nil || rand.IntN(2) == 0 {
				return errors.Join(err, put(dst, "run", nil))
			}
			w, err := dst.(material.TreeSink).CreateExec("run")
			if err != nil {
				return err
			}
			return w.Close()
		}}, "same-bytes"},
		"order of a map": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			var b strings.Builder
			for k := range c.Limit {
				b.WriteString(k)
			}
			if err := put(dst, "index", []byte(b.String())); err != nil {
				return err
			}
			return saveConfig(ctx, dst, c)
		}}, "same-bytes"},
		"one Read is enough": {&spec{load: func(ctx context.Context, src fs.FS, into *config) error {
			f, err := src.Open("name")
			if err != nil {
				return err
			}
			defer f.Close()
			b := make([]byte, 100)
			n, err := f.Read(b)
			if err != nil && err != io.EOF {
				return err
			}
			*into = config{}
			if err := loadConfig(ctx, src, into); err != nil {
				return err
			}
			into.Name = string(b[:n])
			return nil
		}}, "short-reads"},
		"bytes that come with EOF": {&spec{load: func(ctx context.Context, src fs.FS, into *config) error {
			f, err := src.Open("name")
			if err != nil {
				return err
			}
			defer f.Close()
			var name []byte
			for b := make([]byte, 100); err != io.EOF; {
				var n int
				if n, err = f.Read(b); err == nil {
					name = append(name, b[:n]...)
				} else if err != io.EOF {
					return err
				}
			}
			*into = config{}
			if err := loadConfig(ctx, src, into); err != nil {
				return err
			}
			into.Name = string(name)
			return nil
		}}, "short-reads"},
		"file thought optional": {&spec{load: func(ctx context.Context, src fs.FS, into *config) error {
			*into = config{}
			if err := loadConfig(ctx, src, into); err != nil {
				*into = config{Name: "default"}
			}
			return nil
		}}, "read-errors"},
		"read error hidden": {&spec{load: func(ctx context.Context, src fs.FS, into *config) error {
			*into = config{}
			if err := loadConfig(ctx, src, into); err != nil {
				return errors.New("cannot load")
			}
			return nil
		}}, "read-errors"},
		"error of Close ignored": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := saveConfig(ctx, dst, c); err != nil {
				return err
			}
			w, err := dst.Create("end")
			if err != nil {
				return err
			}
			defer w.Close()
			_, err = io.WriteString(w, "end")
			return err
		}}, "write-errors"},
		"error of Write ignored": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := saveConfig(ctx, dst, c); err != nil {
				return err
			}
			w, err := dst.Create("end")
			if err != nil {
				return err
			}
			io.WriteString(w, "end")
			return w.Close()
		}}, "write-errors"},
		"read error overlooked": {&spec{load: func(ctx context.Context, src fs.FS, into *config) error {
			*into = config{}
			err := loadConfig(ctx, src, into)
			if err != nil { // perhaps an older layout
				name, _ := fs.ReadFile(src, "name")
				*into = config{Name: string(name)}
			}
			return nil
		}}, "read-errors"},
		"write error hidden": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			if err := saveConfig(ctx, dst, c); err != nil {
				return errors.New("cannot save")
			}
			return nil
		}}, "write-errors"},
		"end of the context ignored": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			err := saveConfig(ctx, dst, c)
			if ctx.Err() != nil {
				return nil
			}
			return err
		}}, "cancel"},
		"one at a time": {&spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
			defer busy.Add(-1)
			if busy.Add(1) > 1 {
				return saveConfig(ctx, dst, &config{Name: "mixed up"})
			}
			time.Sleep(time.Millisecond)
			return saveConfig(ctx, dst, c)
		}}, "concurrent"},
	} {
		t.Run(what, func(t *testing.T) {
			if got := failing(t, test.m, nil); !slices.Contains(got, test.check) {
				t.Errorf("%s is not noticed by %q, only by %q", what, test.check, got)
			}
		})
	}
}

func TestOptionsChangeTheComparison(t *testing.T) {
	forgetful := &spec{load: func(ctx context.Context, src fs.FS, into *config) error {
		*into = config{}
		err := loadConfig(ctx, src, into)
		into.Name = ""
		return err
	}}
	if got := failing(t, forgetful, nil); !slices.Contains(got, "round-trip") {
		t.Fatalf("a lost name is noticed only by %q", got)
	}
	for what, opts := range map[string]*Options{
		"Compare": {Compare: []cmp.Option{cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Name" }, cmp.Ignore())}},
		"Diff":    {Diff: func(any, any) string { return "" }},
	} {
		if got := failing(t, forgetful, opts); len(got) > 0 {
			t.Errorf("with %s, %q fail", what, got)
		}
	}

	random := &spec{save: func(ctx context.Context, dst material.Sink, c *config) error {
		if err := put(dst, "id", fmt.Append(nil, rand.Uint64())); err != nil {
			return err
		}
		return saveConfig(ctx, dst, c)
	}}
	if got := failing(t, random, &Options{Nondeterministic: true}); len(got) > 0 {
		t.Errorf("with Nondeterministic, %q fail", got)
	}

	target := func() any { return new(*config) }
	calls := 0
	counted := func() any { calls++; return target() }
	if got := failing(t, &spec{}, &Options{Target: counted}); len(got) > 0 || calls == 0 {
		t.Errorf("with Target, which was called %d times, %q fail", calls, got)
	}
}
