package ledger

import (
	"errors"
	"io/fs"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Damaged tells damage of what is stored from other failures.
func IsDamaged(err error) bool {
	return errors.Is(err, chunk.ErrCorrupt) || errors.Is(err, chunk.ErrMissing) || errors.Is(err, manifest.ErrCorrupt) ||
		errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrForeign) || errors.Is(err, fault.ErrIntegrity)
}

// NotFound tells an absent key from other failures.
func IsNotFound(err error) bool { return errors.Is(err, fs.ErrNotExist) }
