package registry_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mindtrace/registry"
	"github.com/mindtrace/registry/material"
	_ "github.com/mindtrace/registry/store/memstore" // mem:
)

type Model struct {
	Layers  []int
	Weights []float64
}

type Row struct {
	X, Y float64
}

var (
	ctx          = context.Background()
	trainedModel = Model{Layers: []int{784, 10}, Weights: []float64{0.5, -0.25}}
	dataset      = []Row{{1, 2}, {3, 4}}
)

// open returns a new registry in memory: mem: takes the place of a directory
// or bucket.
func open() *registry.Registry {
	reg, err := registry.Open(ctx, "mem:", &registry.Options{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	return reg
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Save a value, get a version; load it anywhere.
func Example() {
	dir, _ := os.MkdirTemp("", "registry")
	defer os.RemoveAll(dir)
	os.Setenv("MINDREG_URL", dir) // without it, a directory among your own data
	defer os.Unsetenv("MINDREG_URL")

	reg, err := registry.Open(ctx, "", &registry.Options{Create: true})
	check(err)

	// Save objects.
	v, err := reg.Save(ctx, "my:model", trainedModel)
	check(err)
	fmt.Println("saved my:model", v)
	_, err = reg.Save(ctx, "my:data", dataset, registry.WithVersion("1.0.0"))
	check(err)

	// Load objects.
	model, err := registry.Load[Model](ctx, reg, "my:model")
	check(err)
	data, err := registry.Load[[]Row](ctx, reg, "my:data@1.0.0")
	check(err)
	fmt.Println(model.Layers, len(data))

	// List objects and versions.
	for name, err := range reg.Objects(ctx, "") {
		check(err)
		fmt.Println(name)
	}
	for info, err := range reg.Versions(ctx, "my:model") {
		check(err)
		fmt.Println(info.Ref())
	}
	// Output:
	// saved my:model 1.0.0
	// [784 10] 2
	// my:data
	// my:model
	// my:model@1.0.0
}

// A directory of the local file system, or of a network mount.
func ExampleOpen_directory() {
	dir, _ := os.MkdirTemp("", "registry")
	defer os.RemoveAll(dir)

	_, err := registry.Open(ctx, dir, nil)
	fmt.Println(errors.Is(err, registry.ErrNoRegistry)) // a typing error does not make a registry

	reg, err := registry.Open(ctx, dir, &registry.Options{Create: true})
	check(err)
	_, err = reg.Save(ctx, "greeting", "hello")
	check(err)

	again, err := registry.Open(ctx, "file://"+dir, nil)
	check(err)
	s, err := registry.Load[string](ctx, again, "greeting")
	check(err)
	fmt.Println(s)
	// Output:
	// true
	// hello
}

// Files and directories are saved and loaded by their paths.
func ExamplePath() {
	dir, _ := os.MkdirTemp("", "registry")
	defer os.RemoveAll(dir)
	src := filepath.Join(dir, "src")
	check(os.MkdirAll(filepath.Join(src, "images"), 0o777))
	check(os.WriteFile(filepath.Join(src, "labels.csv"), []byte("1,cat\n"), 0o666))
	check(os.WriteFile(filepath.Join(src, "images", "1.png"), []byte("\x89PNG"), 0o666))

	reg := open()
	_, err := reg.Save(ctx, "my:data", registry.Path(src))
	check(err)
	check(reg.Load(ctx, "my:data", registry.Path(filepath.Join(dir, "copy"))))

	// Or read it where it is, file by file, as an fs.FS.
	obj, err := reg.Object(ctx, "my:data@1.0.0")
	check(err)
	labels, err := fs.ReadFile(obj, "labels.csv")
	check(err)
	fmt.Printf("%s", labels)
	for _, f := range obj.Files() {
		fmt.Println(f.SHA256[:8], f.Path)
	}
	// Output:
	// 1,cat
	// 0f4636c7 images/1.png
	// d6c0faab labels.csv
}

// A tensor is stored as raw little-endian numbers, by a materializer of its
// own.
type Tensor struct{ data []float32 }

func saveTensor(_ context.Context, dst material.Sink, t *Tensor) error {
	w, err := dst.Create("tensor.bin")
	if err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, t.data); err != nil {
		return err
	}
	return w.Close()
}

func loadTensor(_ context.Context, src fs.FS) (*Tensor, error) {
	b, err := fs.ReadFile(src, "tensor.bin")
	if err != nil {
		return nil, err
	}
	t := &Tensor{make([]float32, len(b)/4)}
	_, err = binary.Decode(b, binary.LittleEndian, t.data)
	return t, err
}

// A materializer teaches the registry a type: two functions and a name.
func ExampleRegister() {
	reg := open()
	tensors := material.Func("tensor", saveTensor, loadTensor)

	// For every value of the type ...
	check(registry.Register[*Tensor](reg, tensors))
	_, err := reg.Save(ctx, "custom:obj", &Tensor{[]float32{1, 2, 3}})
	check(err)
	t, err := registry.Load[*Tensor](ctx, reg, "custom:obj")
	check(err)
	fmt.Println(t.data)

	// ... or for one call.
	_, err = reg.Save(ctx, "custom:obj", &Tensor{[]float32{4}}, registry.WithMaterializer(tensors))
	check(err)
	info, err := reg.Info(ctx, "custom:obj")
	check(err)
	fmt.Println(info.Version, info.Materializer)
	// Output:
	// [1 2 3]
	// 1.0.1 tensor
}

// Versions are chosen by number, by range, by digest, or as the latest.
func ExampleRegistry_Load() {
	reg := open()
	_, err := reg.Save(ctx, "model", "first", registry.WithVersion("2.1.0"))
	check(err)
	_, err = reg.Save(ctx, "model", "second") // the next patch release
	check(err)
	_, err = reg.Save(ctx, "model", "third", registry.WithVersion("3"))
	check(err)

	info, err := reg.Info(ctx, "model@2.1.0")
	check(err)
	for _, ref := range []string{"model@2.1.0", "model@latest", "model", "model@^2", "model@" + info.Digest} {
		s, err := registry.Load[string](ctx, reg, ref)
		check(err)
		fmt.Println(s)
	}
	// Output:
	// first
	// third
	// third
	// second
	// first
}

// In an unversioned registry a save replaces the object.
func ExampleOptions_unversioned() {
	reg, err := registry.Open(ctx, "mem:", &registry.Options{Create: true, Unversioned: true})
	check(err)
	for _, s := range []string{"old", "new"} {
		_, err := reg.Save(ctx, "model", s)
		check(err)
	}
	n := 0
	for _, err := range reg.Versions(ctx, "model") {
		check(err)
		n++
	}
	s, err := registry.Load[string](ctx, reg, "model")
	check(err)
	fmt.Println(s, n)
	// Output: new 1
}

// Metadata is any JSON value; information about a version costs no data.
func ExampleRegistry_Info() {
	reg := open()
	_, err := reg.Save(ctx, "my:model", trainedModel, registry.WithMetadata(map[string]any{"accuracy": 0.93, "source": "line-3"}))
	check(err)

	info, err := reg.Info(ctx, "my:model")
	check(err)
	fmt.Println("Class:", info.Class)
	fmt.Println("Materializer:", info.Materializer)
	fmt.Println("Path:", info.Path)
	fmt.Println("Metadata:", string(info.Metadata))

	exists, err := reg.Has(ctx, "my:model@1.0.0")
	check(err)
	fmt.Println("Exists:", exists)
	// Output:
	// Class: github.com/mindtrace/registry_test.Model
	// Materializer: json
	// Path: mem:/objects/my!!model/@/a1.a0.a0~.json
	// Metadata: {"accuracy":0.93,"source":"line-3"}
	// Exists: true
}

// Savers and loaders need no lock: a save is one conditional write, and what
// is saved never changes.
func ExampleRegistry_Save_concurrently() {
	reg := open()
	saved := make(chan string)
	for i := range 8 { // or eight processes on eight machines
		go func() {
			v, err := reg.Save(ctx, "shared:resource", fmt.Sprint("data of ", i))
			check(err)
			saved <- v.String()
		}()
	}
	var versions []string
	for range 8 {
		versions = append(versions, <-saved)
	}
	slices.Sort(versions)
	fmt.Println(versions)
	// Output: [1.0.0 1.0.1 1.0.2 1.0.3 1.0.4 1.0.5 1.0.6 1.0.7]
}

// Errors are values, and say what to do.
func ExampleError() {
	reg := open()

	_, err := registry.Load[Model](ctx, reg, "nonexistent:model")
	if errors.Is(err, registry.ErrNotFound) {
		fmt.Println("Object not found:", err)
	}

	_, err = reg.Save(ctx, "invalid_name", "data")
	if errors.Is(err, registry.ErrInvalidName) {
		fmt.Println("Invalid name:", err)
	}
	// Output:
	// Object not found: load nonexistent:model: not found: no object of this name
	// Invalid name: save invalid_name: invalid name "invalid_name": underscores are not allowed; use letters, digits, dots and dashes, and colons between namespaces, for example "invalid-name"
}

// A training run saves what it used and what it made.
func Example_pipeline() {
	reg := open()
	v1 := registry.WithVersion("1.0.0")

	// Training data.
	_, err := reg.Save(ctx, "data:training", dataset, v1)
	check(err)
	_, err = reg.Save(ctx, "data:testing", dataset[:1], v1)
	check(err)
	// The trained model.
	_, err = reg.Save(ctx, "model:classifier", trainedModel, v1)
	check(err)
	// The preprocessing pipeline.
	_, err = reg.Save(ctx, "pipeline:preprocessing", map[string]any{"scale": 0.5}, v1)
	check(err)

	// For inference.
	model, err := registry.Load[Model](ctx, reg, "model:classifier")
	check(err)
	pipeline, err := registry.Load[map[string]any](ctx, reg, "pipeline:preprocessing")
	check(err)
	fmt.Println(model.Layers, pipeline)
	// Output: [784 10] map[scale:0.5]
}

// Versions of a data set, one after the other.
func Example_dataVersions() {
	reg := open()
	_, err := reg.Save(ctx, "data:raw", dataset, registry.WithVersion("1.0.0"))
	check(err)
	_, err = reg.Save(ctx, "data:raw", append(dataset, Row{5, 6}), registry.WithVersion("1.1.0"))
	check(err)

	for info, err := range reg.Versions(ctx, "data:raw") {
		check(err)
		rows, err := registry.Load[[]Row](ctx, reg, info.Ref())
		check(err)
		fmt.Printf("Version %s: %d records\n", info.Version, len(rows))
	}
	// Output:
	// Version 1.0.0: 2 records
	// Version 1.1.0: 3 records
}

// Any reader can be saved as it streams, however long it is, and loaded into
// any writer.
func ExampleRegistry_Save_stream() {
	reg := open()
	_, err := reg.Save(ctx, "logs", io.LimitReader(strings.NewReader("endless..."), 7))
	check(err)
	var out bytes.Buffer
	check(reg.Load(ctx, "logs", &out))
	fmt.Println(out.String())
	// Output: endless
}

// Deleted versions can be brought back for a week.
func ExampleRegistry_Delete() {
	reg := open()
	_, err := reg.Save(ctx, "my:model", "precious")
	check(err)
	report, err := reg.Delete(ctx, "my:model@*", nil)
	check(err)
	fmt.Println("deleted", report.Deleted)

	err = reg.Load(ctx, "my:model@1.0.0", new(string))
	fmt.Println(errors.Is(err, registry.ErrDeleted))

	_, err = reg.Undelete(ctx, "my:model@1.0.0", nil)
	check(err)
	s, err := registry.Load[string](ctx, reg, "my:model")
	check(err)
	fmt.Println(s)
	// Output:
	// deleted [1.0.0]
	// true
	// precious
}
