// Quickstart saves a model to a registry in a directory of its own, lists what
// is there, and loads the model back:
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"reflect"

	"github.com/mindtrace/registry"
)

// Model is any type of yours that has a JSON form.
type Model struct {
	Layers  []int
	Weights []float64
}

func main() {
	log.SetFlags(0)
	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), dir); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string) error {
	reg, err := registry.Open(ctx, dir, &registry.Options{Create: true})
	if err != nil {
		return err
	}
	trained := Model{Layers: []int{784, 128, 10}, Weights: []float64{0.5, -0.25, 0.125}}

	v, err := reg.Save(ctx, "my:model", trained, registry.WithMetadata(map[string]any{"accuracy": 0.93}))
	if err != nil {
		return err
	}
	fmt.Println("saved   my:model", v)
	trained.Layers[1] = 256
	if v, err = reg.Save(ctx, "my:model", trained); err != nil {
		return err
	}
	fmt.Println("saved   my:model", v)

	for info, err := range reg.Versions(ctx, "my:model") {
		if err != nil {
			return err
		}
		fmt.Println("listed ", info.Ref(), info.Digest[:19], string(info.Metadata))
	}

	loaded, err := registry.Load[Model](ctx, reg, "my:model@latest")
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(loaded, trained) {
		return fmt.Errorf("loaded %+v, saved %+v", loaded, trained)
	}
	fmt.Println("loaded  my:model, verified:", loaded.Layers)
	return nil
}
