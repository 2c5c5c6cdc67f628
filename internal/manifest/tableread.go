package manifest

import (
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// tableReader decodes a table while it reads it, and computes its size and digest.
type tableReader struct {
	r   io.Reader
	sum hash.Hash
	n   int64
	err error // of r

	d *jsontext.Decoder
}

// Read implements io.Reader for the decoder. It fails in a value of more than
// maxToken bytes, since the decoder keeps a whole value in memory.
func (t *tableReader) Read(p []byte) (int, error) {
	if t.d != nil && t.n-t.d.InputOffset() > maxToken+int64(len(p)) {
		return 0, fmt.Errorf("a value has more than %d bytes", maxToken)
	}
	var n int
	if n, t.err = t.r.Read(p); n > 0 {
		t.sum.Write(p[:n])
		t.n += int64(n)
	}
	return n, t.err
}

// minEntry is the length of the shortest entry of a table, in bytes.
const minEntry = int64(len(`{"path":"a"}`))

// decode reads a table of size bytes and count files, and charges m. After an error
// it reads the remaining bytes, too, for the digest.
func (t *tableReader) decode(size int64, count int, m *meter) (*tables, error) {
	var v tables
	t.d = jsontext.NewDecoder(t)
	err := json.UnmarshalDecode(t.d, &v, json.RejectUnknownMembers(true), json.WithUnmarshalers(json.JoinUnmarshalers(
		list(m, min(count, int(size/minEntry)), costFile, costOf),
		list[Pack](m, -1, costPack, nil),
		list[[3]int64](m, -1, costExtent, nil),
		list[split](m, -1, costSplit, nil),
		list[Digest](m, -1, costDigest, nil),
		list[int64](m, -1, costNumber, nil),
	)))
	if err == nil {
		if _, err = t.d.ReadToken(); err == nil {
			err = fmt.Errorf("more follows the table")
		} else if err == io.EOF {
			err = nil
		}
	}
	t.d = nil
	if t.err == nil {
		io.Copy(io.Discard, t)
	}
	return &v, err
}

// list decodes an array element by element. The array has at most expect elements,
// unless expect is negative. Each element costs so many bytes of the meter, plus
// what more returns.
func list[T any](m *meter, expect int, cost int64, more func(*T) int64) *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, into *[]T) error {
		if k := d.PeekKind(); k != '[' {
			return errors.ErrUnsupported // the decoder reports it
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		all := make([]T, 0, max(expect, 0))
		for d.PeekKind() != ']' {
			if err := m.charge(cost); err != nil {
				return err
			}
			if expect >= 0 && len(all) == expect {
				return fmt.Errorf("more than the %d files that the register says", expect)
			}
			var v T
			if err := json.UnmarshalDecode(d, &v); err != nil {
				return err
			}
			if more != nil {
				if err := m.charge(more(&v)); err != nil {
					return err
				}
			}
			all = append(all, v)
		}
		*into = all
		_, err := d.ReadToken()
		return err
	})
}
