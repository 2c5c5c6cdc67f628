package manifest

import (
	"errors"
	"slices"
)

// featureZstd is in the Requires of versions of which a chunk is stored
// compressed.
const featureZstd = "zstd"

// featurePurge is in the Requires of purged versions that still name packs.
const featurePurge = "purge"

// features are what this program knows of each kind of register, beyond what
// everybody knows.
var features = map[string][]string{KindVersion: {featureZstd, featurePurge}}

// unknown returns the features of a register that this program does not know.
func (h *Head) unknown() []string {
	var names []string
	for _, f := range h.Requires {
		if !slices.Contains(features[h.Kind], f) {
			names = append(names, f)
		}
	}
	return names
}

func (h *Head) requires(feature string) bool { return slices.Contains(h.Requires, feature) }

func (h *Head) require(feature string) {
	if !h.requires(feature) {
		h.Requires = append(h.Requires[:len(h.Requires):len(h.Requires)], feature)
	}
}

// compressed reports whether any chunk of the files is.
func compressed(files []File) bool {
	return slices.ContainsFunc(files, func(f File) bool {
		return slices.ContainsFunc(f.Chunks, func(c Chunk) bool { return c.Stored > 0 })
	})
}

// checkFeatures refuses a register that uses what it does not require: a
// program that does not know it would take one chunk for another.
func (m *Manifest) checkFeatures() error {
	if m.requires(featureZstd) {
		return nil
	}
	if len(m.Placement.Zstd) > 0 || m.Table != nil && compressed([]File{m.Table.File}) {
		return errors.New(`chunks are compressed, and the register does not require "zstd"`)
	}
	return nil
}
