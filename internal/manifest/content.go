package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Digest returns the digest of the content: the SHA-256 of its JSON in canonical
// form (RFC 8785). That is an object with the members class, files, materializer
// and metadata, without those that are empty. Two versions with the same content
// have the same digest, whatever their names, numbers and registries.
func (c *Content) Digest() (Digest, error) {
	h := sha256.New()
	if err := c.writeCanonical(h); err != nil {
		return Digest{}, err
	}
	return Digest(h.Sum(nil)), nil
}

// writeCanonical writes the canonical form in pieces: with a million files it is
// a large document. Members are in ascending order.
func (c *Content) writeCanonical(w io.Writer) error {
	sep := "{"
	member := func(name string, v jsontext.Value) error {
		_, err := fmt.Fprintf(w, "%s%q:%s", sep, name, v)
		sep = ","
		return err
	}
	if c.Class != "" {
		v, err := canonical(c.Class)
		if err != nil {
			return fmt.Errorf("class: %w", err)
		}
		if err := member("class", v); err != nil {
			return err
		}
	}
	if len(c.Files) > 0 {
		open := sep + `"files":[`
		sep = ","
		var b []byte
		for i := range c.Files {
			var err error
			if b, err = c.Files[i].appendCanonical(append(b[:0], open...)); err != nil {
				return fmt.Errorf("file %q: %w", c.Files[i].Path, err)
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			open = ","
		}
		if _, err := io.WriteString(w, "]"); err != nil {
			return err
		}
	}
	if c.Materializer != "" {
		v, err := canonical(c.Materializer)
		if err != nil {
			return fmt.Errorf("materializer: %w", err)
		}
		if err := member("materializer", v); err != nil {
			return err
		}
	}
	metadata, err := CanonicalMetadata(c.Metadata)
	if err != nil {
		return err
	}
	if metadata != nil {
		if err := member("metadata", metadata); err != nil {
			return err
		}
	}
	if sep == "{" {
		sep = "{}"
	} else {
		sep = "}"
	}
	_, err = io.WriteString(w, sep)
	return err
}

// appendCanonical appends the canonical form of an entry. It allocates nothing:
// there may be a million entries.
func (f *File) appendCanonical(b []byte) ([]byte, error) {
	if f.Size > 1<<53 || f.Size < 0 { // canonical numbers are doubles
		v, err := canonical(f)
		return append(b, v...), err
	}
	b = append(b, '{')
	if f.Dir {
		b = append(b, `"dir":true,`...)
	}
	if f.Exec {
		b = append(b, `"exec":true,`...)
	}
	var err error
	if f.Link != "" {
		if b, err = jsontext.AppendQuote(append(b, `"link":`...), f.Link); err != nil {
			return nil, err
		}
		b = append(b, ',')
	}
	if b, err = jsontext.AppendQuote(append(b, `"path":`...), f.Path); err != nil {
		return nil, err
	}
	if f.SHA256 != (Digest{}) {
		b = append(hex.AppendEncode(append(b, `,"sha256":"`...), f.SHA256[:]), '"')
	}
	if f.Size != 0 {
		b = strconv.AppendInt(append(b, `,"size":`...), f.Size, 10)
	}
	return append(b, '}'), nil
}

func canonical(v any) (jsontext.Value, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	j := jsontext.Value(b)
	return j, j.Canonicalize()
}

// canonicalizeMetadata brings the metadata into canonical form.
func (c *Content) canonicalizeMetadata() error {
	m, err := CanonicalMetadata(c.Metadata)
	if err != nil {
		return err
	}
	c.Metadata = m
	return nil
}

// CanonicalMetadata returns metadata, any JSON value, in canonical form (RFC
// 8785). For no metadata, null and an empty object it returns nil. It refuses
// numbers that the canonical form would change, since a reader would see another
// number: integers beyond ±2⁵³ that a double rounds, anything beyond ±1.8·10³⁰⁸,
// and more digits than a double holds.
func CanonicalMetadata(metadata jsontext.Value) (jsontext.Value, error) {
	if len(metadata) == 0 {
		return nil, nil
	}
	if err := checkDepth(metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	m := metadata.Clone()
	exact := metadata.Clone()
	if err := m.Canonicalize(); err != nil {
		if bytes.HasPrefix(metadata, []byte("\ufeff")) {
			return nil, fmt.Errorf("metadata begins with a byte order mark (BOM), which JSON does not have; leave it out: %w", err)
		}
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if err := exact.Canonicalize(jsontext.CanonicalizeRawInts(false)); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if string(m) != string(exact) {
		return nil, fmt.Errorf("metadata holds an integer beyond ±2⁵³, which most JSON readers round; write it as a string%s", firstNumber(metadata, isRounded))
	}
	if string(m) != string(metadata) { // else no number changes
		if err := checkNumbers(metadata); err != nil {
			return nil, err
		}
	}
	if s := string(m); s == "null" || s == "{}" {
		return nil, nil
	}
	if len(m) > MaxMetadata {
		return nil, fmt.Errorf("metadata has %d bytes, the limit is %d; save it as a file of the object", len(m), MaxMetadata)
	}
	return m, nil
}
