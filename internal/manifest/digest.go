package manifest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/mindtrace/registry/internal/mechanism"
)

// Digest is a SHA-256. As text in registers it is 64 hexadecimal digits, as
// sha256sum prints it. String, for people, puts "sha256:" in front.
type Digest [sha256.Size]byte

// DigestPrefix begins a digest in references and messages.
const DigestPrefix = "sha256:"

// Sum returns the digest of b.
func Sum(b []byte) Digest { return mechanism.Sum256(b) }

// String returns the digest as "sha256:<hex>".
func (d Digest) String() string { return DigestPrefix + d.Hex() }

// Hex returns the digest as 64 hexadecimal digits.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It accepts what MarshalText
// writes, and nothing else.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 2*len(d) && strings.Trim(string(text), "0123456789abcdef") == "" {
		_, err := hex.Decode(d[:], text)
		return err
	}
	return fmt.Errorf("digest %.80q is not 64 lower-case hexadecimal digits", text)
}

// ParseDigest reads "sha256:<hex>".
func ParseDigest(s string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(s, DigestPrefix)
	if !ok {
		return d, fmt.Errorf("digest %.80q does not start with %q", s, DigestPrefix)
	}
	return d, d.UnmarshalText([]byte(digits))
}

// Nonce is 128 random bits, as 32 hexadecimal digits.
type Nonce string

// NewNonce returns a fresh nonce.
func NewNonce() Nonce {
	var b [16]byte
	rand.Read(b[:]) // never fails, see its documentation
	return Nonce(hex.EncodeToString(b[:]))
}

func (n Nonce) valid() bool {
	b, err := hex.DecodeString(string(n))
	return err == nil && len(b) == 16 && strings.ToLower(string(n)) == string(n)
}
