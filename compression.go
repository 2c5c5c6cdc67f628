package registry

import "fmt"

// How saves store what they put; see Options.Compression.
const (
	CompressionAuto = "auto" // each chunk compressed if that saves a tenth of it
	CompressionNone = "none" // every chunk as it is
)

// WithCompression is Options.Compression for one save: CompressionAuto or
// CompressionNone. Chunks that are reused of an earlier version stay as they
// are stored.
func WithCompression(how string) SaveOption {
	return saveOption(func(o *saveOptions) { o.compression = how })
}

// checkCompression refuses what is no way to store. "" leaves it open.
func checkCompression(how string) error {
	switch how {
	case "", CompressionAuto, CompressionNone:
		return nil
	}
	return fmt.Errorf("unknown compression %.40q; give %q or %q", how, CompressionAuto, CompressionNone)
}
