package material

//lint:file-ignore U1000,SA5008 The fields are there for what they are, not to be used.

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// Types to put together.
type (
	plain   struct{ X int }
	Plain   struct{ P string }
	Other   struct{ P string }
	partial struct {
		X int
		y int
	}
	Partial struct {
		Z int
		y int
	}
	number int
	Names  []string
	ratio  float64
	thin   float32
	octet  byte
	box    any

	// Types that marshal themselves, with methods on the value, on the
	// pointer, or only half of them.
	valueJSON   struct{ s string }
	PointerJSON struct{ s string }
	pointerText struct{ s string }
	Enum        int
	outOnly     struct{ S string }
	inOnly      struct{ S string }
	textOutOnly int
	mixed       struct{ S string }
	jsonKey     int
	level       int             // cannot read all that it writes
	zeroes      struct{ N int } // says that it is zero when it is not
)

func (l level) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "level(%d)", int(l)), nil }
func (l *level) UnmarshalText(b []byte) error {
	if string(b) != "level(-7)" && string(b) != "level(0)" {
		return fmt.Errorf("no level %s", b)
	}
	_, err := fmt.Sscanf(string(b), "level(%d)", (*int)(l))
	return err
}
func (z zeroes) IsZero() bool { return z.N <= 1 }

func (v valueJSON) MarshalJSON() ([]byte, error)    { return json.Marshal(v.s) }
func (v *valueJSON) UnmarshalJSON(b []byte) error   { return json.Unmarshal(b, &v.s) }
func (v *PointerJSON) MarshalJSON() ([]byte, error) { return json.Marshal(v.s) }
func (v *PointerJSON) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &v.s) }
func (v *pointerText) MarshalText() ([]byte, error) { return []byte(v.s), nil }
func (v *pointerText) UnmarshalText(b []byte) error { v.s = string(b); return nil }
func (v Enum) MarshalText() ([]byte, error)         { return strconv.AppendInt(nil, int64(v), 10), nil }
func (v *Enum) UnmarshalText(b []byte) (err error)  { *(*int)(v), err = strconv.Atoi(string(b)); return }
func (v outOnly) MarshalJSON() ([]byte, error)      { return []byte(`"opaque"`), nil }
func (v *inOnly) UnmarshalJSON(b []byte) error      { type t inOnly; return json.Unmarshal(b, (*t)(v)) }
func (v textOutOnly) MarshalText() ([]byte, error)  { return []byte("seven"), nil }
func (v mixed) MarshalJSON() ([]byte, error)        { return []byte(`{}`), nil }
func (v *mixed) UnmarshalText(b []byte) error       { v.S = string(b); return nil }
func (v jsonKey) MarshalJSON() ([]byte, error)      { return []byte(strconv.Quote(fmt.Sprint(int(v)))), nil }
func (v *jsonKey) UnmarshalJSON(b []byte) error {
	text, err := strconv.Unquote(string(b))
	if err != nil {
		return err
	}
	return (*Enum)(v).UnmarshalText([]byte(text))
}

// Structs that embed them.
type (
	embedsPlain     struct{ plain }
	embedsExported  struct{ Plain }
	embedsPartial   struct{ partial }
	embedsPointer   struct{ *Plain }
	embedsHiddenPtr struct{ *plain }
	embedsNamed     struct {
		Plain `json:"p"`
	}
	embedsHiddenNamed struct {
		plain `json:"p"`
	}
	embedsHiddenPtrN struct {
		*plain `json:"p"`
	}
	embedsNumber struct {
		number
		X int
	}
	embedsNumberNamed struct {
		number `json:"n"`
		X      int
	}
	embedsNames      struct{ Names }
	embedsNamesNamed struct {
		Names `json:"names"`
	}
	embedsTwoAlike struct {
		Plain
		Other
	}
	embedsTwoNamed struct {
		Plain
		Other `json:"o"`
	}
	embedsShadowed struct {
		Plain
		P string
	}
	embedsDeepTwice struct {
		embedsPlain
		embedsHiddenTwo
	}
	embedsHiddenTwo struct{ plain }
	embedsItself    struct {
		*embedsItself
		X int
	}
	embedsEmpty struct {
		*Optional
		N int
	}
	Optional struct {
		B  int    `json:",omitempty"`
		C  zeroes `json:",omitzero"`
		D  any    `json:"d,omitempty"`
		E_ *int   `json:",omitempty"`
	}
	texts struct {
		F float64     `json:",string"`
		G ratio       `json:",string"`
		H *float32    `json:"h,string"`
		I int         `json:",string"`
		J json.Number `json:",string"`
	}
	embedsLeftOut struct {
		Plain  `json:"-"`
		*plain `json:"-"`
		X      int
	}

	// Methods of an embedded field become those of the struct.
	inheritsTime struct {
		time.Time
		Label string
	}
	inheritsAlone   struct{ time.Time }
	inheritsPointer struct {
		*PointerJSON
		Label string
	}
	inheritsText struct {
		pointerText
		N int
	}
	inheritsTwice struct{ inheritsTime }
	inheritsHalf  struct {
		PointerJSON
		Label string
	}
	inheritsNamed struct {
		PointerJSON `json:"p"`
		Label       string
	}
	inheritsNothing struct {
		time.Time // both have MarshalJSON, so the struct has none
		PointerJSON
	}
	inheritsNothingNamed struct {
		time.Time   `json:"t"`
		PointerJSON `json:"p"`
	}
	inheritsNothingHidden struct {
		valueJSON   `json:"v"`
		PointerJSON `json:"p"`
	}
	inheritsPadded struct {
		time.Time
		_ [0]func()
	}
	inheritsLeftOut struct {
		time.Time
		Cache int `json:"-"`
	}
	overrides struct {
		PointerJSON
		Label string
	}
	overridesOnValue struct {
		time.Time
		Label string
	}
)

func (v inheritsHalf) MarshalJSON() ([]byte, error) { return json.Marshal(v.Label) }

func (v *overrides) MarshalJSON() ([]byte, error) { return json.Marshal([]string{v.s, v.Label}) }
func (v *overrides) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]*string{&v.s, &v.Label})
}
func (v overridesOnValue) MarshalJSON() ([]byte, error) {
	return json.Marshal([]string{v.Format(time.RFC3339Nano), v.Label})
}
func (v *overridesOnValue) UnmarshalJSON(b []byte) error {
	var t string
	err := json.Unmarshal(b, &[]*string{&t, &v.Label})
	v.Time, _ = time.Parse(time.RFC3339Nano, t)
	return err
}
func (v overridesOnValue) Equal(w overridesOnValue) bool {
	return v.Time.Equal(w.Time) && v.Label == w.Label
}

type (
	recursive struct {
		V    int
		Next *recursive
		All  []recursive
		By   map[string]*recursive
	}
	recursiveLoss struct {
		Next *recursiveLoss
		v    int
	}
	padding struct {
		X int
		_ int
		_ struct{}
		m struct{}
	}
	onlyPadding struct {
		_ int
		m struct{}
	}
	leftOut struct {
		X int
		y int            `json:"-"`
		F func()         `json:"-"`
		C chan int       `json:"-"`
		E fmt.Stringer   `json:"-"`
		M map[[2]int]int `json:"-"`
	}
	onlyLeftOut struct {
		y int `json:"-"`
	}
	dash struct {
		X int
		Y int `json:"-,"`
	}
	dashOnly struct {
		X int `json:"-,"`
	}
	options struct {
		A int            `json:",string"`
		B []int          `json:"b,omitempty"`
		C map[string]int `json:",omitzero"`
		D time.Time      `json:",omitzero"`
	}
	siblingByTag struct {
		A int
		B int `json:"A"`
	}
	caseOnly struct {
		Name int
		NAME int
		X    int `json:"name"`
	}
	generic[T any] struct{ V T }
	nest           []nest
)

// Types that go vet would complain of.
var (
	taggedHidden = reflect.StructOf([]reflect.StructField{
		{Name: "X", Type: reflect.TypeFor[int]()},
		{Name: "y", PkgPath: "example.com/p", Type: reflect.TypeFor[int](), Tag: `json:"y"`},
	})
	siblings = reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"n"`},
		{Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"n"`},
	})
)

func handmade() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[plain](), reflect.TypeFor[*plain](), reflect.TypeFor[partial](), reflect.TypeFor[[]partial](),
		reflect.TypeFor[number](), reflect.TypeFor[Names](),
		reflect.TypeFor[valueJSON](), reflect.TypeFor[*valueJSON](), reflect.TypeFor[PointerJSON](), reflect.TypeFor[*PointerJSON](),
		reflect.TypeFor[pointerText](), reflect.TypeFor[Enum](), reflect.TypeFor[outOnly](), reflect.TypeFor[inOnly](),
		reflect.TypeFor[textOutOnly](), reflect.TypeFor[mixed](),
		reflect.TypeFor[embedsPlain](), reflect.TypeFor[embedsExported](), reflect.TypeFor[embedsPartial](), reflect.TypeFor[embedsPointer](),
		reflect.TypeFor[embedsHiddenPtr](), reflect.TypeFor[embedsNamed](), reflect.TypeFor[embedsHiddenNamed](), reflect.TypeFor[embedsHiddenPtrN](),
		reflect.TypeFor[embedsNumber](), reflect.TypeFor[embedsNumberNamed](), reflect.TypeFor[embedsNames](), reflect.TypeFor[embedsNamesNamed](),
		reflect.TypeFor[embedsTwoAlike](), reflect.TypeFor[embedsTwoNamed](), reflect.TypeFor[embedsShadowed](), reflect.TypeFor[embedsDeepTwice](),
		reflect.TypeFor[embedsItself](), reflect.TypeFor[embedsLeftOut](),
		reflect.TypeFor[inheritsTime](), reflect.TypeFor[*inheritsTime](), reflect.TypeFor[inheritsAlone](), reflect.TypeFor[inheritsPointer](),
		reflect.TypeFor[inheritsText](), reflect.TypeFor[inheritsTwice](), reflect.TypeFor[inheritsHalf](), reflect.TypeFor[inheritsNamed](),
		reflect.TypeFor[inheritsNothing](), reflect.TypeFor[inheritsNothingNamed](), reflect.TypeFor[inheritsLeftOut](), reflect.TypeFor[inheritsPadded](), reflect.TypeFor[inheritsNothingHidden](),
		reflect.TypeFor[overrides](), reflect.TypeFor[overridesOnValue](), reflect.TypeFor[map[string]overrides](),
		reflect.TypeFor[recursive](), reflect.TypeFor[recursiveLoss](), reflect.TypeFor[padding](), reflect.TypeFor[onlyPadding](),
		reflect.TypeFor[leftOut](), reflect.TypeFor[onlyLeftOut](), taggedHidden,
		reflect.TypeFor[dash](), reflect.TypeFor[dashOnly](), reflect.TypeFor[options](),
		siblings, reflect.TypeFor[siblingByTag](), reflect.TypeFor[caseOnly](),
		reflect.TypeFor[generic[int]](), reflect.TypeFor[generic[partial]](), reflect.TypeFor[generic[error]](),
		reflect.TypeFor[struct{ json.Marshaler }](), reflect.TypeFor[struct{ A json.Marshaler }](),
		reflect.TypeFor[struct{ fmt.Stringer }](), reflect.TypeFor[struct {
			E error `json:"e"`
		}](),
		reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[complex128](), reflect.TypeFor[[]func()](),
		reflect.TypeFor[generic[chan int]](), reflect.TypeFor[map[string]*complex64](), reflect.TypeFor[uintptr](),
		reflect.TypeFor[map[bool]int](), reflect.TypeFor[map[*int]int](), reflect.TypeFor[map[*plain]int](), reflect.TypeFor[map[plain]int](), reflect.TypeFor[map[[2]int]int](),
		reflect.TypeFor[nest](), reflect.TypeFor[map[string]nest](), reflect.TypeFor[struct{ N nest }](),
		reflect.TypeFor[map[any]int](), reflect.TypeFor[map[*Enum]int](), reflect.TypeFor[map[outOnly]int](), reflect.TypeFor[map[PointerJSON]int](),
	}
}
