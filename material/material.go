// Package material turns values into named streams of bytes and back: it is the
// serialization layer of the registry.
//
// A [Materializer] has a name and two methods. Save writes streams to a [Sink];
// they go straight to storage, without a temporary directory. Load reads them from
// an fs.FS, which fetches and verifies bytes as they are read. Only the name is
// stored with an object, so nothing that a bucket contains is ever executed. A
// [Set] finds the materializer of a value by its type, and that of an object by
// the name.
//
// These are built in. The first that fits a value is chosen:
//
//	[]byte                        Bytes   the file "data"
//	string                        Text    "data.txt"
//	Path                          File, Dir: the file or tree that it names
//	fs.FS                         Dir     its tree
//	encoding.BinaryMarshaler      Binary  "data.bin"
//	io.Reader                     Bytes   "data", as it streams
//	any other                     JSON    "data.json", if nothing of it would be lost
//
// A type with methods to marshal and unmarshal JSON is saved as JSON, even if it is
// an encoding.BinaryMarshaler or an io.Reader as well. [Gob] is only used if the
// caller names it.
//
// # Nothing is lost silently
//
// A value that is loaded into the type that was saved is equal to what was saved.
// If that is not certain, [Set.For] or Save refuses the value. In a variable of
// type any, only these are saved, and come back as themselves: bool, string,
// float64, nil, []any and map[string]any; an integer comes back as an int64 or
// uint64. A type that marshals itself answers for what its methods lose.
//
// # Types of your own
//
// To save a type of your own, write
//
//	m := material.Func("my-model", saveModel, loadModel)
//	registry.Register[*Model](reg, m)
//
// or implement [Materializer]. Test it with package materialtest. The page
// docs/new-materializer.md is a guide.
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

// Materializer saves and loads values of some types. Many goroutines may call its
// methods at once. Package materialtest tests a Materializer.
type Materializer interface {
	// Name is stored with every object. A load finds the Materializer by it, so
	// never change it. See CheckName for what a name may be.
	Name() string

	// Save writes v to streams in dst. For a value of a type that it does not
	// save, it returns an ErrType before it creates a stream. It should write the
	// same bytes for the same value: then the registry stores them only once.
	Save(ctx context.Context, dst Sink, v any) error

	// Load reads the streams in src, and stores the value in what into points to.
	// For a target that it cannot fill, it returns an ErrType. It wraps errors of
	// src, so that errors.Is finds them.
	Load(ctx context.Context, src fs.FS, into any) error
}

// Sink takes the streams of one object. The registry's sinks implement all the
// interfaces for sinks in this package.
type Sink interface {
	// Create starts a stream. The name is a slash-separated path, as in package
	// io/fs. Close a stream before you create the next: that says that it is
	// complete. Only a Save that fails may leave one open.
	Create(name string) (io.WriteCloser, error)
}

// TreeSink is an optional interface of sinks that keep file trees: executable
// files, symbolic links and empty directories.
type TreeSink interface {
	Sink
	// CreateExec is Create for a file that is executable.
	CreateExec(name string) (io.WriteCloser, error)
	// Symlink adds a symbolic link. The target is relative to the link's directory,
	// has slashes, and is inside the tree.
	Symlink(target, name string) error
	// Mkdir adds an empty directory.
	Mkdir(name string) error
}

// Sieve is an optional interface of sinks that leave out some entries of a tree,
// which are not the user's data: what interrupted loads have left, caches, the
// registry itself.
type Sieve interface {
	// LeaveOut reports whether a save leaves out the entry name, and everything
	// below it. Dir calls it for each entry with a nil dir, and for a directory
	// once more, with a file system of the files in it.
	LeaveOut(name string, dir fs.FS) bool
}

// Path is the path of a file or directory on the local disk: a value to save, or
// the target of a load.
type Path string

var (
	// ErrType: the materializer cannot save the value, or cannot load into the
	// target, because of its type.
	ErrType = errors.New("wrong type")
	// ErrNone: no materializer is known for the type of a value, or with the name
	// that is stored with an object.
	ErrNone = errors.New("no materializer")
)

// Set finds materializers by type and by name. The zero value has the built-in
// ones. Many goroutines may use it at once.
type Set struct {
	mu     sync.RWMutex
	byType map[reflect.Type]Materializer
	byName map[string]Materializer
}

// builtin has the built-in materializers by name. For decides which of them a value
// gets.
var builtin = map[string]Materializer{}

func init() {
	for _, m := range []Materializer{Bytes{}, Text{}, JSON{}, Gob{}, Binary{}, File{}, Dir{}} {
		builtin[m.Name()] = m
	}
}

// validName matches the characters of names. CheckName checks the length: a count
// in the pattern would slow down the start of every program.
var validName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// maxName is how many characters a name may have.
const maxName = 64

// CheckName returns nil if a Materializer may have the name, and otherwise an error
// that says why not. A name has 1 to 64 ASCII letters, digits, dots and dashes, and
// starts and ends with a letter or digit.
func CheckName(name string) error {
	if len(name) > maxName || !validName.MatchString(name) {
		return fmt.Errorf("materializer name %.80q: it has 1 to 64 letters, digits, dots and dashes, and starts and ends with a letter or digit", name)
	}
	return nil
}

// Register makes m the materializer of values of type t, and of objects that were
// saved with m's name. With a nil t, it registers only the name. It refuses a name
// that another type of materializer has, also a built-in one, and a Func that loads
// another type than t.
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

// Named returns the materializer with the name. If there is none, the error is
// ErrNone.
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

// For returns the materializer for v: the one that is registered for its type, or
// a built-in one. If a built-in one could lose a part of v without an error, For
// returns an ErrNone that says which part, and what to do.
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

// streaming returns m for a value that is read by a method of its type t. It
// refuses a struct that has the method only from an embedded field, if it has other
// fields: they would be lost.
func streaming(m Materializer, t reflect.Type, method []finder) (Materializer, error) {
	if field := fieldBeside(deref(t), method); field != "" {
		return nil, fmt.Errorf("%w for %s: it is read by a method of a field embedded in it, which drops the field %s; register one for the type, "+
			"save the embedded field alone, or pass WithMaterializer(%T{}) to accept that", ErrNone, t, field, m)
	}
	return m, nil
}

// ClassOf returns the name of the type of v, as it is stored with the object: the
// import path and the name of a Go type, such as "example.com/ml.Model"; for
// a Path, "file" or "dir".
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
