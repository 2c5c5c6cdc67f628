package registry

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/material"
)

// check refuses what cannot be saved, before anything is read or written. It
// completes the transaction, and returns what the register says of the value and
// the materializer that writes it.
func (s *save) check(v any) (*manifest.Content, material.Materializer, error) {
	if name, version, found := strings.Cut(s.Name, "@"); found {
		return nil, nil, fmt.Errorf("%w %q: save takes a name alone; give %q, and %s as the version", ErrInvalidName, s.Name, name, version)
	}
	if err := manifest.ValidName(s.Name); err != nil {
		return nil, nil, err
	}
	if err := s.checkVersion(); err != nil {
		return nil, nil, err
	}
	if err := s.checkStorage(); err != nil {
		return nil, nil, err
	}
	if err := checkClass(s.o.class); err != nil {
		return nil, nil, err
	}
	if err := s.checkExpectation(); err != nil {
		return nil, nil, err
	}
	if err := s.checkTags(); err != nil {
		return nil, nil, err
	}
	m, err := s.materializer(v)
	if err != nil {
		return nil, nil, err
	}
	c := &manifest.Content{Class: s.o.class, Materializer: m.Name()}
	if c.Class == "" {
		c.Class = material.ClassOf(v)
	}
	if s.o.metadata != nil {
		if c.Metadata, err = encodeMetadata(s.o.metadata); err != nil {
			return nil, nil, err
		}
	}
	return c, m, nil
}

// checkVersion reads the number that WithVersion gives.
func (s *save) checkVersion() error {
	if s.o.version == "" {
		return nil
	}
	if s.o.version == Latest {
		return fmt.Errorf("%w: %q means the newest version, it is not a number to save under; leave it out for the next number", ErrInvalidVersion, Latest)
	}
	version, err := manifest.ParseVersion(s.o.version)
	if err != nil {
		return err
	}
	if s.r.ledger.Settings.Unversioned {
		return fmt.Errorf("%w: the registry keeps no versions, so a save cannot choose one", ErrInvalidVersion)
	}
	s.Version = &version
	return nil
}

// checkStorage reads the options that say how data is stored.
func (s *save) checkStorage() error {
	if s.o.base != "" {
		base, err := ledger.ParseRef(s.o.base)
		if err != nil {
			return fmt.Errorf("base: %w", err)
		}
		s.Base = &base
	}
	s.NoReuse = s.o.noReuse
	if err := checkCompression(s.o.compression); err != nil {
		return err
	}
	if s.o.compression != "" {
		s.Compress = s.o.compression != CompressionNone
	}
	return nil
}

// maxClass is the longest class that WithClass takes, in bytes.
const maxClass = 1 << 10

// checkClass refuses what cannot be the name of a type. A class is shown on
// terminals and compared by programs.
func checkClass(class string) error {
	switch {
	case len(class) > maxClass:
		return fmt.Errorf("class %.40q... has %d bytes, the limit is %d; describe the value in its metadata", class, len(class), maxClass)
	case !utf8.ValidString(class):
		return fmt.Errorf("class %.40q is not valid UTF-8", class)
	case strings.ContainsFunc(class, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("class %.40q has characters that cannot be shown; use letters, digits, punctuation and spaces", class)
	}
	return nil
}

// checkExpectation reads the condition of the save.
func (s *save) checkExpectation() (err error) {
	if s.o.expect == nil {
		return nil
	}
	if s.Version != nil {
		return fmt.Errorf("%w: a conditional save takes the next number, which makes it safe; leave WithVersion out (--version)", ErrInvalidVersion)
	}
	s.Expect = s.o.expect
	if !s.Expect.Absent {
		s.Expect.Want, err = manifest.ParseVersion(s.o.ifLatest)
	}
	return err
}

// materializer returns the materializer for v.
func (s *save) materializer(v any) (m material.Materializer, err error) {
	if m = s.o.materializer; m == nil {
		if m, err = s.r.materials.For(v); err != nil {
			return nil, err
		}
	}
	if err := material.CheckName(m.Name()); err != nil {
		return nil, err
	}
	if s.o.dereference {
		if m, err = dereferencing(m, v); err != nil {
			return nil, err
		}
	}
	if m.Name() == (material.Dir{}).Name() {
		if err := s.r.refuseItself(v); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// dereferencing returns the materializer that does what m does and follows links.
func dereferencing(m material.Materializer, v any) (material.Materializer, error) {
	if _, ok := v.(Path); ok {
		switch m.(type) {
		case material.Dir:
			return material.Dir{Dereference: true}, nil
		case material.File:
			return m, nil // it follows a link that the Path names
		}
	}
	return nil, fmt.Errorf("%w: links are followed from a Path that is saved as a file or directory, not from a %T saved by %q; leave WithDereference out", ErrType, v, m.Name())
}
