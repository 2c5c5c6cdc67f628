package material_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/mindtrace/registry/material"
	"github.com/mindtrace/registry/material/materialtest"
)

// lossy says its number as a byte.
type lossy struct{ n int }

func (l lossy) MarshalBinary() ([]byte, error)  { return []byte{byte(l.n), byte(min(l.n, 1))}, nil }
func (l *lossy) UnmarshalBinary(b []byte) error { l.n = int(int8(b[0])); return nil }

// unread cannot read numbers above 9.
type unread struct{ n int64 }

func (u *unread) MarshalBinary() ([]byte, error) { return binary.AppendVarint(nil, u.n), nil }
func (u *unread) UnmarshalBinary(b []byte) error {
	if u.n, _ = binary.Varint(b); u.n > 9 {
		return errors.New("more than 9")
	}
	return nil
}

// What a value writes of itself, it can read, or it is not saved.
func TestBinaryIsReadBack(t *testing.T) {
	for what, test := range map[string]struct {
		v    any
		says string
	}{
		"kept":           {lossy{7}, ""},
		"other":          {lossy{200}, "another value"},
		"kept, pointer":  {&unread{9}, ""},
		"value":          {unread{9}, ""},
		"cannot be read": {&unread{10}, "more than 9"},
		"a URL":          {&url.URL{Scheme: "https", Host: "a.b", Path: "/c d"}, ""},
		"no URL":         {url.URL{Scheme: "https", Opaque: "\x00"}, "invalid control character"},
	} {
		var s materialtest.Sink
		err := material.Binary{}.Save(t.Context(), &s, test.v)
		if test.says == "" && err != nil || test.says != "" && (!errors.Is(err, material.ErrType) || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want an error with %q", what, err, test.says)
		}
		if _, serr := fs.Stat(s.FS(), "data.bin"); (err == nil) != (serr == nil) {
			t.Errorf("%s: Save = %v, and the file is %v", what, err, serr)
		}
	}
}
