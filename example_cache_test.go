package registry_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mindtrace/registry"
	"github.com/mindtrace/registry/cache"
)

// What was read from a bucket is kept on this disk. A checked-out version is
// a directory there that all programs share.
func ExampleRegistry_Checkout() {
	tmp, _ := os.MkdirTemp("", "registry")
	defer os.RemoveAll(tmp)
	os.Setenv("MINDREG_CACHE_DIR", filepath.Join(tmp, "cache")) // without it, mindreg in the user's cache directory
	defer os.Unsetenv("MINDREG_CACHE_DIR")
	url := "mem://far-away"
	src := filepath.Join(tmp, "src")
	check(os.Mkdir(src, 0o777))
	check(os.WriteFile(filepath.Join(src, "labels.csv"), []byte("1,cat\n"), 0o666))

	elsewhere, err := registry.Open(ctx, url, &registry.Options{Create: true})
	check(err)
	_, err = elsewhere.Save(ctx, "my:data", registry.Path(src))
	check(err)

	local, err := cache.Open(nil)
	check(err)
	reg, err := registry.Open(ctx, url, &registry.Options{Cache: local})
	check(err)

	got, err := reg.Checkout(ctx, "my:data@1.0.0", nil)
	check(err)
	labels, err := os.ReadFile(filepath.Join(got.Dir, "labels.csv"))
	check(err)
	fmt.Printf("%s", labels)

	// Where the bucket is out of reach, what was read before is still there.
	offline, err := registry.Open(ctx, url, &registry.Options{Cache: local, Offline: true})
	check(err)
	again, err := offline.Checkout(ctx, "my:data@1.0.0", nil)
	check(err)
	fmt.Println(again.Dir == got.Dir)
	_, err = offline.Info(ctx, "my:model")
	fmt.Println(errors.Is(err, registry.ErrOffline))

	removed, err := local.Prune(0) // or os.RemoveAll of its directory, at any time
	check(err)
	fmt.Println(removed.Entries > 0)
	// Output:
	// 1,cat
	// true
	// true
	// true
}

// What is new is stored compressed where that pays.
func ExampleWithCompression() {
	reg := open()
	text := make([]byte, 1<<20) // compresses well
	var auto, none registry.SaveReport
	_, err := reg.Save(ctx, "log", text, registry.WithReport(&auto))
	check(err)
	_, err = reg.Save(ctx, "raw", text, registry.WithCompression(registry.CompressionNone), registry.WithReport(&none))
	check(err)
	fmt.Println(auto.Stored < 1000, none.Stored)
	fmt.Println(auto.Info.Digest == none.Info.Digest) // it is how it is stored, not what it is
	// Output:
	// true 1048576
	// true
}
