// Package material turns values into named streams of bytes and back: the
// serialization layer of the registry.
//
// A [Materializer] is a name and two methods. Save creates streams in a
// [Sink], which go straight to storage; there are no temporary directories.
// Load reads them from an fs.FS, verified and fetched as they are read. Only
// the name is stored with an object: what a bucket says is never executed.
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

// Materializer saves and loads values of some types.
type Materializer interface {
	// Name is stored with every object and finds the Materializer again when
	// it is loaded: never change it. Letters, digits, dots, dashes.
	Name() string

	// Save writes v to streams in dst. It returns an error that is ErrType for
	// a value that it does not take, before it creates a stream.
	Save(ctx context.Context, dst Sink, v any) error

	// Load fills what into points to from the streams in src. It returns an
	// error that is ErrType for a target that it cannot fill.
	Load(ctx context.Context, src fs.FS, into any) error
}

// Sink takes the streams of one object.
type Sink interface {
	// Create starts a stream. A name is a slash-separated path as in package
	// io/fs. One stream is closed before the next is created.
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

var validName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$`)

// CheckName reports why name cannot be a Materializer's, or nil.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("materializer name %.80q: it has 1 to 64 letters, digits, dots and dashes, and starts and ends with a letter or digit", name)
	}
	return nil
}

// Register makes m the materializer of values of type t, and of objects that
// were saved with m's name. A nil type registers the name alone.
func (s *Set) Register(t reflect.Type, m Materializer) error {
	if err := CheckName(m.Name()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName == nil {
		s.byType, s.byName = map[reflect.Type]Materializer{}, map[string]Materializer{}
	}
	if old := s.byName[m.Name()]; old != nil && reflect.TypeOf(old) != reflect.TypeOf(m) {
		return fmt.Errorf("materializer name %q is taken by %T", m.Name(), old)
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
	switch v := v.(type) {
	case nil:
		return nil, fmt.Errorf("%w for nil", ErrNone)
	case []byte:
		return Bytes{}, nil
	case string:
		return Text{}, nil
	case Path:
		return pathMaterializer(v)
	case fs.FS:
		return Dir{}, nil
	}
	if k := t.Kind(); k == reflect.Pointer && reflect.ValueOf(v).IsNil() {
		return nil, fmt.Errorf("%w for a nil %s", ErrNone, t)
	}
	switch {
	case marshalsJSON(t):
		return JSON{}, nil
	case marshalsBinary(t):
		return Binary{}, nil
	}
	if _, ok := v.(io.Reader); ok {
		return Bytes{}, nil
	}
	if why := jsonLoses(t); why != "" {
		return nil, fmt.Errorf("%w for %s: %s; register one for the type, or pass WithMaterializer(material.JSON{}) to accept that", ErrNone, t, why)
	}
	return JSON{}, nil
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
	case reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	}
	return t.String()
}

// wrongTarget is the error for a target that a materializer cannot fill.
func wrongTarget(m Materializer, into any, takes string) error {
	return fmt.Errorf("%w: materializer %q loads into %s, not into %T", ErrType, m.Name(), takes, into)
}

// wrongValue is the error for a value that a materializer does not take.
func wrongValue(m Materializer, v any, takes string) error {
	return fmt.Errorf("%w: materializer %q saves %s, not %T", ErrType, m.Name(), takes, v)
}

// create writes one stream.
func create(dst Sink, name string, write func(io.Writer) error) error {
	w, err := dst.Create(name)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		return err // the save fails; w is of no use any more
	}
	return w.Close()
}

// OnlyFile returns the path of the one file in src: what materializers of
// a single stream read, whatever its name.
func OnlyFile(src fs.FS) (string, error) {
	var found []string
	err := fs.WalkDir(src, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if found = append(found, p); len(found) > 1 {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w: the object is a tree of files, not one file", ErrType)
	}
	return found[0], nil
}

// openOnly opens the one file in src.
func openOnly(src fs.FS) (fs.File, error) {
	name, err := OnlyFile(src)
	if err != nil {
		return nil, err
	}
	return src.Open(name)
}
