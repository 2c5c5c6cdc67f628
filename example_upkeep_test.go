package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry"
	_ "github.com/mindtrace/registry/store/gcsstore" // gs:
	_ "github.com/mindtrace/registry/store/s3store"  // s3:
)

// A program links the backends that it imports.
func ExampleOpen_bucket() {
	// AWS: credentials from the environment, the shared files, or the machine's role.
	reg, err := registry.Open(ctx, "s3://bucket/models", nil)
	check(err)
	fmt.Println(reg.URL())
	// MinIO, or another server that speaks S3.
	reg, err = registry.Open(ctx, "s3://minio-registry/models?endpoint=http://localhost:9000", &registry.Options{CreateBucket: true})
	check(err)
	fmt.Println(reg.URL())
	// Google Cloud Storage.
	reg, err = registry.Open(ctx, "gs://my-registry-bucket?credentials=/path/to/service-account.json", nil)
	check(err)
	fmt.Println(reg.URL())
}

// A lock spares work that should not be done twice.
func ExampleRegistry_Lock() {
	reg := open()
	work := func(ctx context.Context) error { return ctx.Err() }
	train := func() error {
		ctx, unlock, err := reg.Lock(ctx, "my:model", &registry.LockOptions{Why: "training"})
		if err != nil {
			return err
		}
		defer unlock()
		fmt.Println("with fencing token", registry.LockEpoch(ctx))
		return work(ctx) // ctx ends if the lock is lost
	}
	fmt.Println(train())
	// Output:
	// with fencing token 1
	// <nil>
}

// Old versions go by rules, and what nothing names any more is freed some
// days later.
func ExampleRegistry_Prune() {
	reg := open()
	for i := range 5 {
		_, err := reg.Save(ctx, "nightly", i)
		check(err)
	}
	_, err := reg.Tag(ctx, "nightly@1.0.0", "golden", nil)
	check(err)

	pruned, err := reg.Prune(ctx, &registry.PruneOptions{KeepLast: 2, KeepTagged: true})
	check(err)
	for _, p := range pruned.Deleted {
		fmt.Println("deleted", p.Version)
	}
	// Output:
	// deleted 1.0.1
	// deleted 1.0.2
}

// A collection may run at any time, beside everything else.
func ExampleRegistry_GC() {
	reg := open()
	_, err := reg.Save(ctx, "my:model", make([]byte, 1<<20))
	check(err)
	_, err = reg.Delete(ctx, "my:model@1.0.0", nil)
	check(err)

	report, err := reg.GC(ctx, nil) // frees what was deleted eight days ago
	check(err)
	fmt.Println("freed", report.Freed.Packs, "kept for undelete", report.Tombstones.Packs)
	// Output: freed 0 kept for undelete 1
}

// What has to go for good is purged: nothing brings it back, and its space comes
// back a week sooner.
func ExampleRegistry_Purge() {
	reg := open()
	_, err := reg.Save(ctx, "my:model", "by mistake")
	check(err)

	purged, err := reg.Purge(ctx, "my:model@1.0.0", nil) // for good; purged.Purged[i].Frees says from when GC frees it
	check(err)
	fmt.Println("purged", purged.Purged[0].Version)
	_, err = reg.Undelete(ctx, "my:model@1.0.0", nil)
	fmt.Println(errors.Is(err, registry.ErrPurged))
	// Output:
	// purged 1.0.0
	// true
}

// A copy has the same numbers, digests and tags. Copying again copies only what is
// missing.
func ExampleCopy() {
	reg, backup := open(), open()
	_, err := reg.Save(ctx, "my:model", "weights", registry.WithTag("prod"))
	check(err)

	report, err := registry.Copy(ctx, backup, reg, "my:model@prod", nil) // "" copies everything
	check(err)
	fmt.Println(report.Copied[0].Name, report.Copied[0].Version)
	s, err := registry.Load[string](ctx, backup, "my:model@prod")
	check(err)
	fmt.Println(s)
	// Output:
	// my:model 1.0.0
	// weights
}

// What a disk has damaged is found by reading everything, and restored from
// a copy.
func ExampleRegistry_Repair() {
	dir, _ := os.MkdirTemp("", "registry")
	defer os.RemoveAll(dir)
	reg, err := registry.Open(ctx, dir, &registry.Options{Create: true})
	check(err)
	_, err = reg.Save(ctx, "my:model", make([]byte, 1<<20))
	check(err)
	mirror := open()
	_, err = registry.Copy(ctx, mirror, reg, "", nil)
	check(err)
	damage(dir)

	found, err := reg.Verify(ctx, "", nil)
	check(err)
	fmt.Println(found.OK(), len(found.Problems))
	repaired, err := reg.Repair(ctx, "", mirror, nil)
	check(err)
	fmt.Println(repaired.OK(), len(repaired.Packs))
	// Output:
	// false 1
	// true 1
}

// damage overwrites the packs in a directory.
func damage(dir string) {
	packs, err := filepath.Glob(filepath.Join(dir, "packs", "*", "*", "*"))
	check(err)
	if len(packs) == 0 {
		log.Fatal("there are no packs")
	}
	for _, p := range packs {
		check(os.WriteFile(p, []byte("not what it was"), 0o666))
	}
}

// A version is a file system, of which only what is read is fetched.
func ExampleRegistry_Object() {
	dir, _ := os.MkdirTemp("", "registry")
	defer os.RemoveAll(dir)
	check(os.CopyFS(dir, os.DirFS("testdata")))
	reg := open()
	_, err := reg.Save(ctx, "my:data", registry.Path(dir))
	check(err)

	obj, err := reg.Object(ctx, "my:data@1.0.0")
	check(err)
	matches, err := fs.Glob(obj, "requests*.txt") // an fs.FS
	check(err)
	fmt.Println(len(matches))

	f, err := obj.Open("requests.txt")
	check(err)
	defer f.Close()
	part := make([]byte, 6)
	_, err = f.(io.ReaderAt).ReadAt(part, 0) // fetches these bytes
	check(err)
	fmt.Println(string(part))
	// Output:
	// 3
	// # init
}
