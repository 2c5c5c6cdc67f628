package manifest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// checkNumbers refuses metadata with a number that its canonical form would
// change. metadata is valid JSON.
func checkNumbers(metadata jsontext.Value) error {
	for d := jsontext.NewDecoder(bytes.NewReader(metadata)); ; {
		t, err := d.ReadToken()
		if err != nil {
			return nil // the end: metadata is valid JSON
		}
		if t.Kind() != '0' {
			continue
		}
		s := t.String()
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("metadata holds the number %.40s, which is too large for a double; write it as a string%s", s, place(d))
		}
		if !prints(f, s) {
			return fmt.Errorf("metadata holds the number %.40s, which a double cannot hold: it would become %v; write it as a string%s", s, f, place(d))
		}
	}
}

// firstNumber returns the first number in metadata for which bad is true, and its
// place, as the end of an error's text.
func firstNumber(metadata jsontext.Value, bad func(string) bool) string {
	for d := jsontext.NewDecoder(bytes.NewReader(metadata)); ; {
		t, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if s := t.String(); t.Kind() == '0' && bad(s) {
			return fmt.Sprintf(": %.40s%s", s, place(d))
		}
	}
}

// isRounded reports whether a number is an integer that its canonical form
// would change.
func isRounded(number string) bool {
	rounded, exact := jsontext.Value(number), jsontext.Value(number)
	return rounded.Canonicalize() == nil && exact.Canonicalize(jsontext.CanonicalizeRawInts(false)) == nil && string(rounded) != string(exact)
}

// place returns where in the metadata the last token is, or "" if the metadata has
// no other.
func place(d *jsontext.Decoder) string {
	if p := d.StackPointer(); p != "" {
		return fmt.Sprintf(" (at %.200q)", string(p))
	}
	return ""
}

// prints reports whether the JSON number s is the double f, printed with as many
// digits as s has. 0.1, 0.10000000000000001 and 0.1000000000000000056 all are the
// same double. 3.00000000000000000001 is not a double with that many digits.
func prints(f float64, s string) bool {
	const most = 767 // no double has more digits
	digits, exp := decimal(s)
	n := min(max(len(digits), 1), most)
	d, e := decimal(strconv.FormatFloat(f, 'e', n-1, 64))
	return d == digits && e == exp
}

// decimal returns the significant digits of a number, without leading and trailing
// zeros, and the exponent of the first of them. It ignores the sign.
func decimal(s string) (digits string, exp int) {
	s = strings.TrimPrefix(s, "-")
	mantissa, power := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, power = s[:i], s[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exp = len(whole) - 1 - (len(whole+fraction) - len(digits))
	if digits = strings.TrimRight(digits, "0"); digits == "" {
		return "", 0
	}
	n, err := strconv.Atoi(power)
	if err != nil && power != "" {
		return digits, 0 // the exponent does not fit an int: no double
	}
	return digits, exp + n
}
