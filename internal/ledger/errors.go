package ledger

import (
	"errors"
	"io/fs"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// IsDamaged reports whether err says that stored data is damaged or missing. It
// is false for every other failure: of the network, of permissions, of a key
// that does not exist.
func IsDamaged(err error) bool {
	return errors.Is(err, chunk.ErrCorrupt) || errors.Is(err, chunk.ErrMissing) || errors.Is(err, manifest.ErrCorrupt) ||
		errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrForeign) || errors.Is(err, fault.ErrIntegrity)
}

// IsNotFound reports whether err says that a key does not exist in the store.
// That a version or tag does not exist is fault.ErrNotFound.
func IsNotFound(err error) bool { return errors.Is(err, fs.ErrNotExist) }
