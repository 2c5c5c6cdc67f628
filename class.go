package registry

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxClass is how long a class may be that a caller gives, in bytes.
const maxClass = 1 << 10

// checkClass refuses what cannot be the name of a type: it is shown on
// terminals and compared by programs.
func checkClass(class string) error {
	switch {
	case len(class) > maxClass:
		return fmt.Errorf("class %.40q... has %d bytes, the limit is %d; describe the value in its metadata", class, len(class), maxClass)
	case !utf8.ValidString(class):
		return fmt.Errorf("class %.40q is not valid UTF-8", class)
	case strings.ContainsFunc(class, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("class %.40q has characters that cannot be shown; use letters, digits, punctuation and blanks", class)
	}
	return nil
}
