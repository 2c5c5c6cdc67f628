package materialtest_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mindtrace/registry"
	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
	_ "github.com/mindtrace/registry/store/memstore" // mem:
)

// Model is a type with a format of its own: a name, and weights as a file of
// little-endian float32.
type Model struct {
	Name    string
	Weights []float32
}

// ModelMaterializer saves and loads a *Model.
var ModelMaterializer = material.Func("my-model", saveModel, loadModel)

func saveModel(_ context.Context, dst material.Sink, m *Model) error {
	w, err := dst.Create("name.txt")
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(m.Name)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if w, err = dst.Create("weights.f32"); err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, m.Weights); err != nil {
		return err
	}
	return w.Close()
}

func loadModel(_ context.Context, src fs.FS) (*Model, error) {
	name, err := fs.ReadFile(src, "name.txt")
	if err != nil {
		return nil, err
	}
	b, err := fs.ReadFile(src, "weights.f32")
	if err != nil {
		return nil, err
	}
	if len(b)%4 != 0 {
		return nil, fmt.Errorf("weights.f32 has %d bytes, not a multiple of 4", len(b))
	}
	m := &Model{Name: string(name)}
	for v := range slices.Chunk(b, 4) {
		m.Weights = append(m.Weights, math.Float32frombits(binary.LittleEndian.Uint32(v)))
	}
	return m, nil
}

// A registry is told of a materializer once, and then saves and loads the type.
func Example() {
	ctx := context.Background()
	reg, err := registry.Open(ctx, "mem:", &registry.Options{Create: true})
	check(err)
	check(registry.Register[*Model](reg, ModelMaterializer))
	_, err = reg.Save(ctx, "my:model", &Model{Name: "tiny", Weights: []float32{1, 2, 3}})
	check(err)
	m, err := registry.Load[*Model](ctx, reg, "my:model")
	check(err)
	fmt.Println(m.Name, m.Weights)
	// Output: tiny [1 2 3]
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// This is all it takes to test a materializer.
func TestModel(t *testing.T) {
	values := []*Model{
		{},
		{Name: "résumé", Weights: []float32{0.5, -1, math.MaxFloat32}},
		{Name: "untrained", Weights: make([]float32, 10_000)},
	}
	materialtest.Run(t, ModelMaterializer, values, nil)
}

// Options say where a value may come back another, and still be the same.
func TestModelWithOptions(t *testing.T) {
	values := []*Model{{Name: "nan", Weights: []float32{}}, {Weights: []float32{float32(math.NaN())}}}
	materialtest.Run(t, ModelMaterializer, values, &materialtest.Options{
		Compare: []cmp.Option{cmpopts.EquateEmpty(), cmpopts.EquateNaNs()},
	})
}
