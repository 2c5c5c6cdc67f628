package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mindtrace/registry/internal/manifest"
)

// readMeta returns the metadata that --meta and --meta-file give.
func readMeta(stdin io.Reader, pairs []string, file, path string) (any, error) {
	given, err := metaPairs(pairs)
	if err != nil || file == "" {
		if len(given) == 0 {
			return nil, err
		}
		return given, err
	}
	whole, err := readMetaFile(stdin, file, path)
	if err != nil || len(given) == 0 {
		return whole, err
	}
	if bytes.TrimSpace(whole)[0] != '{' {
		return nil, usagef("--meta-file %s is not a JSON object, so --meta cannot add to it; leave one of them out", file)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(whole, &members); err != nil {
		return nil, usagef("--meta-file %s: %v", file, err)
	}
	for k, v := range given {
		members[k] = v
	}
	return members, nil
}

// metaPairs reads --meta.
func metaPairs(pairs []string) (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		k, anyJSON := strings.CutSuffix(k, ":")
		if !ok || k == "" {
			return nil, usagef("--meta %q: write key=value, or key:=JSON", p)
		}
		if _, twice := m[k]; twice {
			return nil, usagef("--meta %s is given twice", k)
		}
		value := []byte(v)
		switch {
		case anyJSON:
			if err := checkMeta(value); err != nil {
				return nil, usagef("--meta %s: %v; for text, write --meta %[1]s=TEXT", k, err)
			}
		case isScalar(v):
			if err := checkMeta(value); err != nil {
				return nil, usagef("--meta %s: %v, as in --meta '%s=%q'", k, err, k, v)
			}
		case !utf8.ValidString(v):
			return nil, usagef("--meta %s: the value is not UTF-8", k)
		default:
			var err error
			if value, err = json.Marshal(v); err != nil {
				return nil, err
			}
		}
		m[k] = value
	}
	return m, nil
}

// isScalar reports whether a value of --meta is JSON and not text: a number in the
// range of a double, true, false, null, or text in double quotes.
func isScalar(v string) bool {
	if strings.TrimSpace(v) != v || !json.Valid([]byte(v)) {
		return false
	}
	switch v[0] {
	case '{', '[':
		return false
	case 't', 'f', 'n', '"':
		return true
	}
	_, err := strconv.ParseFloat(v, 64)
	return err == nil
}

// maxMetaFile is how many bytes a --meta-file may have: many times the limit of
// metadata, because white space does not count there.
const maxMetaFile = 16 << 20

// readMetaFile reads --meta-file, which may begin with a byte order mark, as
// programs on Windows write it.
func readMetaFile(stdin io.Reader, file, path string) (json.RawMessage, error) {
	if file == "-" {
		if path == "-" {
			return nil, usagef("standard input cannot be both the object and its metadata")
		}
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		stdin = f
	}
	b, err := io.ReadAll(io.LimitReader(stdin, maxMetaFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxMetaFile {
		return nil, usagef("--meta-file %s has more than %d MiB; save it as a file of the object instead", file, maxMetaFile>>20)
	}
	whole := bytes.TrimPrefix(b, []byte("\ufeff"))
	if err := checkMeta(whole); err != nil {
		return nil, usagef("--meta-file %s: %v", file, err)
	}
	return whole, nil
}

// checkMeta returns an error if v cannot be metadata or a part of it.
func checkMeta(v []byte) error {
	_, err := manifest.CanonicalMetadata(v)
	switch {
	case len(bytes.TrimSpace(v)) == 0:
		return errors.New("it is empty, which is not JSON")
	case !json.Valid(v):
		return fmt.Errorf("it is not JSON: %w", err)
	}
	return err
}
