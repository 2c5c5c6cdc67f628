package material_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

// sample has fields of every kind that JSON and gob give back.
type sample struct {
	Name   string
	Count  int64
	Ratio  float64
	On     bool
	Tags   []string
	Limits map[string]int
	Inner  struct{ X, Y int8 }
	Next   *sample
	When   time.Time
	Took   time.Duration
	Raw    []byte
	Hash   [4]byte
}

func samples() []*sample {
	when := time.Date(2024, 2, 29, 12, 30, 0, 123456789, time.UTC)
	full := &sample{
		Name: "naïve <b>&\u2028 \"\\\n\x00 日本", Count: math.MaxInt64, Ratio: 0.1, On: true,
		Tags: []string{"", "a"}, Limits: map[string]int{"z": 1, "a": -1, "": 0},
		When: when, Took: time.Hour, Raw: []byte{0, 0xff}, Hash: [4]byte{1, 2, 3, 255},
	}
	full.Inner.X = math.MinInt8
	full.Next = &sample{Count: math.MinInt64, Ratio: math.SmallestNonzeroFloat64, When: when}
	return []*sample{full, {When: when}, {When: when, Tags: []string{}, Limits: map[string]int{}, Raw: []byte{}}}
}

// textValues are strings and bytes that a careless reader or writer garbles.
func textValues() []string {
	return []string{"", "a", "line\r\nline\n", "\x00\xff\xfe not UTF-8", strings.Repeat("0123456789", 10_000)}
}

func TestBytesKeepsPromises(t *testing.T) {
	var values [][]byte
	for _, s := range textValues() {
		values = append(values, []byte(s))
	}
	materialtest.Run(t, material.Bytes{}, values, nil)
}

func TestTextKeepsPromises(t *testing.T) {
	materialtest.Run(t, material.Text{}, textValues(), nil)
}

func TestJSONKeepsPromises(t *testing.T) {
	materialtest.Run(t, material.JSON{}, samples(), nil)
	materialtest.Run(t, material.JSON{AllowUnknownFields: true}, samples(), nil)
}

func TestJSONKeepsPromisesForAnyShape(t *testing.T) {
	materialtest.Run(t, chosen{}, []any{
		0, -1, int64(math.MaxInt64), uint64(math.MaxUint64), 0.1, math.MaxFloat64, float32(0.1), true, "text",
		[]int{}, []int{1, 2}, map[string]int{}, map[int]string{-1: "a", 10: "b", 9: "c"},
		map[string]any{"a": 1.5, "b": []any{"x", nil, true}, "c": map[string]any{}},
		*big.NewInt(0).Lsh(big.NewInt(1), 200), big.NewInt(-5), map[string]big.Int{"a": *big.NewInt(7)},
		netip.MustParseAddr("::1"), map[netip.Addr]int{netip.MustParseAddr("10.0.0.1"): 1},
		time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)),
		strings.Repeat("long ", 20_000), // more than the encoder buffers
	}, nil)
}

// chosen is JSON as a registry uses it, which refuses what would be lost. Who
// names JSON in the call accepts that.
type chosen struct{ material.JSON }

func (m chosen) Save(ctx context.Context, dst material.Sink, v any) error {
	if _, err := new(material.Set).For(v); errors.Is(err, material.ErrNone) {
		return fmt.Errorf("%w: %w", material.ErrType, err)
	}
	return m.JSON.Save(ctx, dst, v)
}

func TestGobKeepsPromises(t *testing.T) {
	// Of a map the order is another each time. Gob has no empty slices.
	opts := &materialtest.Options{Nondeterministic: true, Compare: []cmp.Option{cmpopts.EquateEmpty()}}
	materialtest.Run(t, material.Gob{}, samples(), opts)
	materialtest.Run(t, material.Gob{}, []any{1, "text", []float64{1, math.Inf(-1)}, [2]bool{true}, complex(1, 2)}, nil)
}

func TestBinaryKeepsPromises(t *testing.T) {
	u, err := url.Parse("https://user:pw@example.com/a%20b?q=1#f")
	if err != nil {
		t.Fatal(err)
	}
	when := time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC)
	materialtest.Run(t, material.Binary{}, []any{u, *u, &u, when, &when, netip.MustParseAddr("::1")}, nil)
}

func TestFuncKeepsPromises(t *testing.T) {
	m := material.Func("celsius",
		func(ctx context.Context, dst material.Sink, c celsius) error {
			return material.JSON{}.Save(ctx, dst, float64(c))
		},
		func(ctx context.Context, src fs.FS) (celsius, error) {
			var f float64
			err := material.JSON{}.Load(ctx, src, &f)
			return celsius(f), err
		})
	materialtest.Run(t, m, []celsius{0, -273.15}, nil)
}

type celsius float64

func TestFileKeepsPromises(t *testing.T) {
	dir := t.TempDir()
	var values []material.Path
	for name, contents := range map[string]string{
		"plain.txt": "contents", "empty": "", "a b\nc\\d-é": strings.Repeat("x", 100_000),
	} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(contents), 0o644); err != nil {
			t.Fatal(err)
		}
		values = append(values, material.Path(p))
	}
	materialtest.Run(t, material.File{}, values, &materialtest.Options{
		Target: func() any { return new([]byte) },
		Diff: func(saved, target any) string {
			want, err := os.ReadFile(string(saved.(material.Path)))
			if err != nil {
				return err.Error()
			}
			if got := *target.(*[]byte); !bytes.Equal(want, got) {
				return cmp.Diff(want, got)
			}
			return ""
		},
	})
}

func TestDirKeepsPromises(t *testing.T) {
	tree := fstest.MapFS{
		"a.txt":         {Data: []byte("a"), Mode: 0o644},
		"bin/run":       {Data: []byte("#!"), Mode: 0o755},
		"bin/alias":     {Data: []byte("run"), Mode: fs.ModeSymlink | 0o777},
		"deep/er/empty": {Mode: fs.ModeDir | 0o755},
		"nothing":       {Mode: 0o644},
	}
	onDisk := filepath.Join(t.TempDir(), "tree")
	if err := os.CopyFS(onDisk, tree); err != nil {
		t.Fatal(err)
	}
	opts := &materialtest.Options{
		Target: func() any { return new(fs.FS) },
		Diff: func(saved, target any) string {
			src, ok := saved.(fs.FS)
			if !ok {
				src = os.DirFS(string(saved.(material.Path)))
			}
			return diffTrees(src, *target.(*fs.FS))
		},
	}
	materialtest.Run(t, material.Dir{}, []any{tree, material.Path(onDisk), fstest.MapFS{}}, opts)
}

// diffTrees compares two trees entry by entry, as far as objects keep them.
func diffTrees(want, got fs.FS) string {
	a, err := describe(want)
	b, gotErr := describe(got)
	if err := errors.Join(err, gotErr); err != nil {
		return err.Error()
	}
	return cmp.Diff(a, b)
}

// describe returns a line for each entry of a tree.
func describe(fsys fs.FS) (map[string]string, error) {
	all := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			all[p] = "directory"
		case d.Type()&fs.ModeSymlink != 0:
			target, err := fs.ReadLink(fsys, p)
			all[p] = "link to " + target
			return err
		default:
			fi, err := d.Info()
			if err != nil {
				return err
			}
			b, err := fs.ReadFile(fsys, p)
			all[p] = "file: " + string(b)
			if fi.Mode()&0o100 != 0 {
				all[p] = "executable " + all[p]
			}
			return err
		}
		return nil
	})
	return all, err
}

// saved saves v and returns the object.
func saved(t *testing.T, m material.Materializer, v any) fs.FS {
	t.Helper()
	var s materialtest.Sink
	if err := m.Save(t.Context(), &s, v); err != nil {
		t.Fatalf("Save(%T): %v", v, err)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return s.FS()
}

// oneFile returns an object of one file.
func oneFile(name, contents string) fs.FS {
	return fstest.MapFS{name: {Data: []byte(contents)}}
}
