package manifest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
)

// Format is the version of the format that this package writes and reads.
const Format = 1

// Kinds of registers.
const (
	KindSettings = "settings"
	KindVersion  = "version"
)

// maxPrev is how many earlier nonces a register remembers.
const maxPrev = 8

// Head begins every register.
type Head struct {
	Kind     string   `json:"kind"`
	Format   int      `json:"format"`
	Requires []string `json:"requires,omitempty"` // a program that does not know all of these features refuses the register
	Nonce    Nonce    `json:"nonce"`              // of this body; no two bodies have the same
	Prev     []Nonce  `json:"prev,omitempty"`     // of the bodies that this one replaced, newest first, at most 8
}

// newHead returns the head of a new register.
func newHead(kind string) Head { return Head{Kind: kind, Format: Format, Nonce: NewNonce()} }

// Supersede gives the head a fresh nonce and moves the present one into Prev. Call
// it on every change, before the register is written again.
func (h *Head) Supersede() {
	h.Prev = append([]Nonce{h.Nonce}, h.Prev[:min(len(h.Prev), maxPrev-1)]...)
	h.Nonce = NewNonce()
}

// Wrote reports whether the write with the nonce n was applied: the body with that
// nonce is the register's present state or one of the last eight before it.
func (h *Head) Wrote(n Nonce) bool { return h.Nonce == n || slices.Contains(h.Prev, n) }

// ErrCorrupt: a register or table is damaged, or is not of this format. What
// exactly is wrong is only in the text. So an invalid name inside a register is
// not ErrInvalidName, which would blame the caller, and one that is cut short is
// not io.ErrUnexpectedEOF, which would blame the network.
var ErrCorrupt = errors.New("corrupt")

// ErrNewer: a register was written by a newer program than this one.
var ErrNewer = errors.New("written by a newer version of mindreg")

// DecodeHead reads the head of any register and ignores the rest. Unlike the
// decoders of whole registers, it accepts unknown members and features: it is
// enough to find out which write a body is from.
func DecodeHead(body []byte) (Head, error) {
	var h Head
	if err := json.Unmarshal(body, &h); err != nil {
		return Head{}, fmt.Errorf("%w register: %v", ErrCorrupt, err)
	}
	return h, nil
}

func (h *Head) head() *Head { return h }

// decode reads the body of a register of a kind into v, and checks its head. A
// newer format is ErrNewer. An unknown member is ErrCorrupt: this program would
// drop it on the next write.
func decode(body []byte, kind string, v interface{ head() *Head }) error {
	if err := checkLength(kind, len(body)); err != nil {
		return fmt.Errorf("%w register: %v", ErrCorrupt, err)
	}
	invalid := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	h := *v.head()
	if invalid != nil { // the register may be newer, not damaged
		var err error
		if h, err = DecodeHead(body); err != nil {
			return err
		}
	}
	if h.Format > Format {
		return fmt.Errorf("%w: format %d, this program knows up to %d; upgrade it", ErrNewer, h.Format, Format)
	}
	if names := h.unknown(); len(names) > 0 {
		return fmt.Errorf("%w: it uses %q, which this program does not know; upgrade it", ErrNewer, names)
	}
	if h.Kind != kind || h.Format < 1 {
		return fmt.Errorf("%w register: kind %q format %d, want kind %q format %d", ErrCorrupt, h.Kind, h.Format, kind, Format)
	}
	if invalid != nil {
		return fmt.Errorf("%w register: %v", ErrCorrupt, invalid)
	}
	if !h.Nonce.valid() || len(h.Prev) > maxPrev {
		return fmt.Errorf("%w register: bad nonce", ErrCorrupt)
	}
	for _, n := range h.Prev {
		if !n.valid() {
			return fmt.Errorf("%w register: bad nonce", ErrCorrupt)
		}
	}
	return nil
}

// encode returns the body of a register of a kind.
func encode(kind string, v any) ([]byte, error) {
	body, err := marshal(v)
	if err == nil {
		err = checkLength(kind, len(body))
	}
	if err != nil {
		return nil, fmt.Errorf("encoding register: %w", err)
	}
	return body, nil
}

func marshal(v any) ([]byte, error) {
	body, err := json.Marshal(v, json.Deterministic(true))
	return append(body, '\n'), err
}
