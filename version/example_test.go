package version_test

import (
	"fmt"
	"slices"

	"github.com/mindtrace/registry/version"
)

// Versions are sorted by precedence: numbers as numbers, and pre-releases before
// their release.
func Example() {
	var found []version.Version
	for _, s := range []string{"1.10.0", "v1.9", "2.0.0", "2.0.0-rc.1"} {
		v, err := version.Parse(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		found = append(found, v)
	}
	slices.SortFunc(found, version.Version.Compare)
	fmt.Println(found)
	fmt.Println(found[1] == version.Version{Major: 1, Minor: 10})
	next, err := found[3].Next()
	fmt.Println(next, err)
	// Output:
	// [1.9.0 1.10.0 2.0.0-rc.1 2.0.0]
	// true
	// 2.0.1 <nil>
}

// The error says what is wrong, and how to write it.
func ExampleParse() {
	_, err := version.Parse("1.02.3")
	fmt.Println(err)
	// Output: invalid version "1.02.3": leading zero in "02"; write "2"
}
