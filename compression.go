package registry

import "fmt"

// Compression is how saves store what they put. "" leaves it to Options.Compression, and
// there means CompressionAuto.
type Compression string

// The ways to store.
const (
	CompressionAuto Compression = "auto" // each chunk compressed if that saves a tenth of it
	CompressionNone Compression = "none" // every chunk as it is
)

// checkCompression refuses what is no way to store. "" leaves it open.
func checkCompression(how Compression) error {
	switch how {
	case "", CompressionAuto, CompressionNone:
		return nil
	}
	return fmt.Errorf("unknown compression %.40q; give %q or %q", how, CompressionAuto, CompressionNone)
}
