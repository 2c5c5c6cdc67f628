package manifest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mindtrace/registry/store"
)

// The limits of the format. Each bounds what decoding costs, not only what is
// stored: decoding a register or a table takes memory that is linear in its bytes,
// and at most MaxDecoded. Decoders refuse what exceeds a limit. Encoders do so,
// too, before anything is written. docs/format.md has the same list.
const (
	// MaxInline is how many bytes of files a register may hold. More bytes are
	// stored in packs.
	MaxInline = 128 << 10
	// MaxTable is how large a register with its files and placement may be, in
	// bytes. If they do not fit, they are stored in packs, as a Table.
	MaxTable = 1 << 20
	// MaxRegister is how large the register of a version may be, in bytes. A
	// save writes at most MaxTable, so a later deletion has room to add to it.
	MaxRegister = 2 << 20
	// MaxSmall is how large every other register may be, in bytes.
	MaxSmall = 64 << 10
	// MaxMetadata is how large an object's metadata may be, as JSON, in bytes.
	MaxMetadata = 256 << 10
	// MaxDepth is how deep objects and arrays may be nested in metadata, and in
	// the report of a collection. A number has depth 0, [] has 1.
	MaxDepth = 100
	// MaxDecoded is how much memory the files and chunks of one version may
	// take, in bytes, counted with the costs below.
	MaxDecoded = 320 << 20
	// maxTableSize is how large a table may be, in bytes. It is decoded as it is
	// read, and never in memory as a whole.
	maxTableSize = 1 << 30
	// maxToken is how long one value of a table may be, in bytes: the longest
	// are files inline.
	maxToken = 1 << 20
)

// How much memory decoding counts for each element, in bytes.
const (
	costFile   = 128 // an entry, without the bytes of its path and link
	costSingle = 64  // the chunk of a file that is not empty
	costSplit  = 128 // an entry of Placement.Split
	costDigest = 112 // the digest of a chunk in it
	costNumber = 16  // the size of a chunk in it, or an element of Placement.Zstd
	costPack   = 96
	costExtent = 48
)

var errTooMuch = fmt.Errorf("its files and chunks take more than %d MiB of memory; save fewer files in one object", MaxDecoded>>20)

// meter counts the memory that decoding takes. left is what it may still take, in
// bytes.
type meter struct{ left int64 }

func newMeter() *meter { return &meter{MaxDecoded} }

func (m *meter) charge(n int64) error {
	if m.left -= n; m.left < 0 {
		return errTooMuch
	}
	return nil
}

// costOf returns what decoding a file counts beside costFile. It counts one chunk:
// whether there are more is not known yet.
func costOf(f *File) int64 {
	n := int64(len(f.Path) + len(f.Link))
	if f.Size > 0 {
		n += costSingle
	}
	return n
}

// chargeAll counts what decoding the files with the complete placement p will
// count. A save calls it, so that it writes nothing that decoders refuse.
func (m *meter) chargeAll(files []File, p *Placement) error {
	n := costPack*int64(len(p.Packs)) + costExtent*int64(len(p.Extents)) + costNumber*int64(len(p.Zstd))
	for i := range files {
		n += costFile + costOf(&files[i])
	}
	for i := range p.Split {
		s := &p.Split[i]
		n += costSplit + costDigest*int64(len(s.SHA256)) + costNumber*int64(len(s.Sizes))
	}
	return m.charge(n)
}

// MaxBody returns how many bytes a key may hold.
func MaxBody(key string) int64 {
	switch {
	case strings.HasPrefix(key, ObjectsPrefix):
		return MaxRegister
	case strings.HasPrefix(key, PacksPrefix):
		return store.MaxBody
	}
	return MaxSmall
}

// checkLength refuses the body of a register of a kind that is too large.
func checkLength(kind string, n int) error {
	most := MaxSmall
	if kind == KindVersion {
		most = MaxRegister
	}
	if n <= most {
		return nil
	}
	return fmt.Errorf("%d bytes, the limit is %d", n, most)
}

// checkDepth refuses JSON in which objects and arrays are nested too deep.
func checkDepth(v jsontext.Value) error {
	depth, text := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return errTooDeep
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

var errTooDeep = errors.New("objects and arrays are nested more than 100 deep; save it as a file of the object")
