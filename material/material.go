// Package material turns values into named streams of bytes and back: the
// serialization layer of the registry.
//
// A [Materializer] is a name and two methods. Save creates streams in a
// [Sink], which go straight to storage; there are no temporary directories.
// Load reads them from an fs.FS, verified and fetched as they are read. Only
// the name is stored with an object: what a bucket says is never executed.
//
// Built in, and chosen by what a value is, in this order:
//
//	[]byte                        Bytes   the file "data"
//	string                        Text    "data.txt"
//	Path                          File, Dir: the file or tree that it names
//	fs.FS                         Dir     its tree
//	encoding.BinaryMarshaler      Binary  "data.bin"
//	io.Reader                     Bytes   "data", as it streams
//	any other                     JSON    "data.json", if nothing of it would be lost
//
// A type that says how it is written as JSON is JSON, also if it is one of the
// two before that. Gob is only used where it is asked for.
//
// What is loaded into the type that was saved is equal to it, or [Set.For] or
// Save has refused it. In an any, an integer comes back as an int64 or uint64, a
// bool, string, float64, nil, []any and map[string]any as itself, and nothing
// else is taken. A type that writes itself is what it reads of that again.
//
// To teach the registry a type of your own, write
//
//	m := material.Func("my-model", saveModel, loadModel)
//	registry.Register[*Model](reg, m)
//
// or implement Materializer, and test it with package materialtest.
package material

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"regexp"
	"sync"
)

// Materializer saves and loads values of some types. Its methods may be called
// by many goroutines at once. Package materialtest tests one.
type Materializer interface {
	// Name is stored with every object and finds the Materializer again when
	// it is loaded: never change it. Letters, digits, dots, dashes.
	Name() string

	// Save writes v to streams in dst. It returns an error that is ErrType for
	// a value of a type that it does not take, before it creates a stream.
	// The same value should give the same bytes: then what is stored already
	// is found.
	Save(ctx context.Context, dst Sink, v any) error

	// Load replaces what into points to by what is in the streams in src. It
	// returns an error that is ErrType for a target that it cannot fill, and
	// passes on errors of src, for errors.Is to match.
	Load(ctx context.Context, src fs.FS, into any) error
}

// Sink takes the streams of one object.
type Sink interface {
	// Create starts a stream. A name is a slash-separated path as in package
	// io/fs. One stream is closed before the next is created. Only a Save
	// that fails may leave one open: closing says that it is complete.
	Create(name string) (io.WriteCloser, error)
}

// TreeSink is a Sink that also keeps what file trees have beside contents.
// The registry's sinks are TreeSinks.
type TreeSink interface {
	Sink
	// CreateExec is Create for a file that is executable.
	CreateExec(name string) (io.WriteCloser, error)
	// Symlink adds a symbolic link. The target is relative and inside the
	// tree.
	Symlink(target, name string) error
	// Mkdir adds an empty directory.
	Mkdir(name string) error
}

// Sieve is what a Sink may be besides: one that knows what in a tree is not the
// user's data. The registry's sinks are Sieves.
type Sieve interface {
	// LeaveOut reports that the entry name of the tree is not to be saved, with
	// all that is in it. It is asked about each entry, with a nil dir, and about
	// a directory once more, with the files right in it.
	LeaveOut(name string, dir fs.FS) bool
}

// Path is a file or directory of the local file system, as a value to save
// or as the target of a load.
type Path string

var (
	// ErrType: the value or target is of a type that the materializer does
	// not handle.
	ErrType = errors.New("wrong type")
	// ErrNone: there is no materializer for a type, or none of a name.
	ErrNone = errors.New("no materializer")
)

// Set finds materializers by type and by name. The zero value holds the
// built-in ones. It may be used by many goroutines.
type Set struct {
	mu     sync.RWMutex
	byType map[reflect.Type]Materializer
	byName map[string]Materializer
}

// builtin are found by name. Which of them a value gets is decided in For.
var builtin = map[string]Materializer{}

func init() {
	for _, m := range []Materializer{Bytes{}, Text{}, JSON{}, Gob{}, Binary{}, File{}, Dir{}} {
		builtin[m.Name()] = m
	}
}

// validName is the rule for the characters of names. The length is checked apart:
// a count in the pattern would slow down every start.
var validName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// maxName is how many characters a name may have.
const maxName = 64

// CheckName reports why name cannot be a Materializer's, or nil.
func CheckName(name string) error {
	if len(name) > maxName || !validName.MatchString(name) {
		return fmt.Errorf("materializer name %.80q: it has 1 to 64 letters, digits, dots and dashes, and starts and ends with a letter or digit", name)
	}
	return nil
}

// Register makes m the materializer of values of type t, and of objects that
// were saved with m's name. A nil type registers the name alone. A name that
// a materializer of another type has, built-in ones included, is refused, and
// a Func that would load another type than t.
func (s *Set) Register(t reflect.Type, m Materializer) error {
	if err := CheckName(m.Name()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName == nil {
		s.byType, s.byName = map[reflect.Type]Materializer{}, map[string]Materializer{}
	}
	if t != nil && t.Kind() == reflect.Interface {
		return fmt.Errorf("%s is an interface, which no value has as its type: register the types that implement it", t)
	}
	old := s.byName[m.Name()]
	if old == nil {
		old = builtin[m.Name()]
	}
	if old != nil && reflect.TypeOf(old) != reflect.TypeOf(m) {
		return fmt.Errorf("materializer name %q is taken by %T", m.Name(), old)
	}
	if err := checkTakes(m, t); err != nil {
		return err
	}
	s.byName[m.Name()] = m
	if t != nil {
		s.byType[t] = m
	}
	return nil
}

// Named returns the materializer with this name.
func (s *Set) Named(name string) (Materializer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if m := s.byName[name]; m != nil {
		return m, nil
	}
	if m := builtin[name]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w named %q: register it, or name one in the call (WithMaterializer)", ErrNone, name)
}

// For returns the materializer for v: the one registered for its type, or
// a built-in one by what v is. Where saving could drop a part of v without
// a word there is none, and the error says what to do.
func (s *Set) For(v any) (Materializer, error) {
	t := reflect.TypeOf(v)
	s.mu.RLock()
	m := s.byType[t]
	s.mu.RUnlock()
	if m != nil {
		return m, nil
	}
	if t == nil {
		return nil, fmt.Errorf("%w for nil", ErrNone)
	}
	if isNilPointer(v) {
		return nil, fmt.Errorf("%w for a nil %s", ErrNone, t)
	}
	switch v := v.(type) {
	case []byte:
		return Bytes{}, nil
	case string:
		return Text{}, nil
	case Path:
		return pathMaterializer(v)
	case fs.FS:
		return streaming(Dir{}, t, openMethod)
	}
	if !marshalsJSON(t) {
		if marshalsBinary(t) {
			if lost := binaryLoses(t); lost != "" {
				return nil, fmt.Errorf("%w for %s: %s; register one for the type, or pass WithMaterializer(material.Binary{}) to accept that", ErrNone, t, lost)
			}
			return Binary{}, nil
		}
		if _, ok := v.(io.Reader); ok {
			return streaming(Bytes{}, t, readMethod)
		}
	}
	switch lost := jsonLoses(v); {
	case lost == nil:
		return JSON{}, nil
	case lost.refused:
		return nil, fmt.Errorf("%w for %s: %s; register one for the type", ErrNone, t, lost.why)
	default:
		return nil, fmt.Errorf("%w for %s: %s; register one for the type, or pass WithMaterializer(material.JSON{}) to accept that", ErrNone, t, lost.why)
	}
}

// streaming returns m for what is read by a method of its type t, unless t is
// a struct with fields of its own that has the method from an embedded one.
func streaming(m Materializer, t reflect.Type, method []finder) (Materializer, error) {
	if field := fieldBeside(deref(t), method); field != "" {
		return nil, fmt.Errorf("%w for %s: it is read by a method of a field embedded in it, which drops the field %s; register one for the type, "+
			"save the embedded field alone, or pass WithMaterializer(%T{}) to accept that", ErrNone, t, field, m)
	}
	return m, nil
}

// ClassOf names the type of v, as it is stored with the object: the import
// path and name of a Go type.
func ClassOf(v any) string {
	t := reflect.TypeOf(v)
	if p, ok := v.(Path); ok {
		if m, err := pathMaterializer(p); err == nil {
			return m.Name()
		}
	}
	return typeName(t)
}

func typeName(t reflect.Type) string {
	if t == nil {
		return ""
	}
	if t.Name() != "" && t.PkgPath() != "" {
		return t.PkgPath() + "." + t.Name()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + typeName(t.Elem())
	case reflect.Slice:
		if t.Elem() == reflect.TypeFor[byte]() {
			return "[]byte"
		}
		return "[]" + typeName(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), typeName(t.Elem()))
	case reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	}
	return t.String()
}

// wrongTarget is the error for a target that a materializer cannot fill.
func wrongTarget(m Materializer, into any, takes string) error {
	if isNilPointer(into) {
		return fmt.Errorf("%w: materializer %q cannot load into a nil %T", ErrType, m.Name(), into)
	}
	return fmt.Errorf("%w: materializer %q loads into %s, not into %T", ErrType, m.Name(), takes, into)
}

// wrongValue is the error for a value that a materializer does not take.
func wrongValue(m Materializer, v any, takes string) error {
	return fmt.Errorf("%w: materializer %q saves %s, not %T", ErrType, m.Name(), takes, v)
}

func isNilPointer(v any) bool {
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}
