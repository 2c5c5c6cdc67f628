package registry

import "fmt"

// Compression says whether saves compress new data. In WithCompression "" means
// Options.Compression; there it means CompressionAuto. Digests do not depend on
// it.
type Compression string

// Whether saves compress new data.
const (
	CompressionAuto Compression = "auto" // compress each chunk where that saves at least a tenth of it
	CompressionNone Compression = "none" // compress nothing
)

// checkCompression refuses unknown values. "" is the default.
func checkCompression(how Compression) error {
	switch how {
	case "", CompressionAuto, CompressionNone:
		return nil
	}
	return fmt.Errorf("unknown compression %.40q; give %q or %q", how, CompressionAuto, CompressionNone)
}
