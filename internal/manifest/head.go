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
	Requires []string `json:"requires,omitempty"` // features without which a program must not read on
	Nonce    Nonce    `json:"nonce"`              // of this body: no two bodies share one
	Prev     []Nonce  `json:"prev,omitempty"`     // of the bodies that this one replaced, newest first, at most 8
}

// newHead returns the head of a new register.
func newHead(kind string) Head { return Head{Kind: kind, Format: Format, Nonce: NewNonce()} }

// Succeed gives the head a fresh nonce and remembers the present one: to be
// called on every change, before the register is written again.
func (h *Head) Succeed() {
	h.Prev = append([]Nonce{h.Nonce}, h.Prev[:min(len(h.Prev), maxPrev-1)]...)
	h.Nonce = NewNonce()
}

// Wrote reports whether the body with this nonce is or was a state of the
// register.
func (h *Head) Wrote(n Nonce) bool { return h.Nonce == n || slices.Contains(h.Prev, n) }

// ErrCorrupt: a register or table is damaged, or was not written by this
// format. What exactly is wrong is in the text only: an invalid name or an
// early end in a register is neither the caller's mistake nor the network's.
var ErrCorrupt = errors.New("corrupt")

// ErrNewer: a register was written by a newer program than this one.
var ErrNewer = errors.New("written by a newer version of mindreg")

// DecodeHead reads the head of any register, and only that: enough to see
// whose write it is. Unlike the decoders of whole registers it takes members
// and features that it does not know.
func DecodeHead(body []byte) (Head, error) {
	var h Head
	if err := json.Unmarshal(body, &h); err != nil {
		return Head{}, fmt.Errorf("%w register: %v", ErrCorrupt, err)
	}
	return h, nil
}

func (h *Head) head() *Head { return h }

// decode reads a register into v, which has a Head that check can see to be
// of this kind. A newer format is told apart from damage; unknown members are
// damage, since a program that dropped them on its next write would lose them.
func decode(body []byte, kind string, v interface{ head() *Head }) error {
	if err := checkLength(kind, len(body)); err != nil {
		return fmt.Errorf("%w register: %v", ErrCorrupt, err)
	}
	invalid := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	h := *v.head()
	if invalid != nil { // perhaps just newer
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
