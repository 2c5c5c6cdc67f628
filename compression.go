package registry

import "fmt"

// How saves store what they put; see Options.Compression.
const (
	CompressionAuto = "auto" // each chunk compressed if that saves a tenth of it
	CompressionNone = "none" // every chunk as it is
)

// checkCompression refuses what is no way to store. "" leaves it open.
func checkCompression(how string) error {
	switch how {
	case "", CompressionAuto, CompressionNone:
		return nil
	}
	return fmt.Errorf("unknown compression %.40q; give %q or %q", how, CompressionAuto, CompressionNone)
}
