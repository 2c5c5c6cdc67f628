//go:build mechanisms

package mechanism

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

var without = strings.FieldsFunc(os.Getenv("MINDREG_WITHOUT"), func(r rune) bool { return r == ',' })

func has(name string) bool { return !slices.Contains(without, name) }

// What is on.
var (
	Hash   = has("hash")
	Direct = has("direct")
	Stage  = has("stage")
	Look   = has("look")
	Pace   = pace()
)

func pace() int {
	for _, name := range without {
		if digits, ok := strings.CutPrefix(name, "pace"); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				return n
			}
			return 4
		}
	}
	return 0
}
