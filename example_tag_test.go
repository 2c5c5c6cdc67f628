package registry_test

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mindtrace/registry"
)

// A tag is a name for one version, and can be moved to another.
func ExampleRegistry_Tag() {
	reg := open()
	_, err := reg.Save(ctx, "my:model", "first")
	check(err)
	_, err = reg.Save(ctx, "my:model", "second", registry.WithTag("staging"))
	check(err)

	_, err = reg.Tag(ctx, "my:model@1.0.0", "prod", nil)
	check(err)
	_, err = reg.Tag(ctx, "my:model@staging", "prod", &registry.TagOptions{IfVersion: "1.0.0"}) // if it is still there
	check(err)
	s, err := registry.Load[string](ctx, reg, "my:model@prod")
	check(err)
	fmt.Println(s)

	history, err := reg.TagHistory(ctx, "my:model", "prod") // where it was, newest first
	check(err)
	for _, move := range history {
		fmt.Println(move.Version)
	}

	_, err = reg.Delete(ctx, "my:model@1.0.1", nil)
	fmt.Println(errors.Is(err, registry.ErrTagged)) // what is tagged is not deleted by accident
	_, err = reg.Untag(ctx, "my:model", "staging", nil)
	check(err)
	// Output:
	// second
	// 1.0.1
	// 1.0.0
	// true
}

// Update loads, changes and saves, and starts again if another version was saved
// meanwhile: no update is lost.
func ExampleUpdate() {
	reg := open()
	addOne := func(old int, from *registry.Info) (int, error) { return old + 1, nil }
	var wg sync.WaitGroup
	for range 8 { // or eight processes on eight machines
		wg.Go(func() {
			_, err := registry.Update(ctx, reg, "counter", addOne)
			check(err)
		})
	}
	wg.Wait()
	n, err := registry.Load[int](ctx, reg, "counter")
	check(err)
	fmt.Println(n)
	// Output: 8
}

// A save can require that no other version was saved meanwhile.
func ExampleWithIfLatest() {
	reg := open()
	_, err := reg.Save(ctx, "config", "ours", registry.WithIfAbsent())
	check(err)
	info, err := reg.Info(ctx, "config")
	check(err)
	_, err = reg.Save(ctx, "config", "theirs") // another process
	check(err)

	_, err = reg.Save(ctx, "config", "ours, edited", registry.WithIfLatest(info.Version.String()))
	if errors.Is(err, registry.ErrConflict) {
		fmt.Println(err)
	}
	// Output: save config: condition not met: the latest version is 1.0.1, not 1.0.0
}
