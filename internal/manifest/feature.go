package manifest

import (
	"errors"
	"slices"
)

// A register lists in Requires the features without which a program would misread
// it. A program that does not know one of them refuses the register with ErrNewer.
const (
	featureZstd  = "zstd"  // a version with a compressed chunk
	featurePurge = "purge" // a purged version that still names packs
)

// features are those that this program knows, by kind of register.
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

// compressed reports whether any chunk of the files is compressed.
func compressed(files []File) bool {
	return slices.ContainsFunc(files, func(f File) bool {
		return slices.ContainsFunc(f.Chunks, func(c Chunk) bool { return c.Stored > 0 })
	})
}

// checkFeatures refuses a register that uses a feature and does not require it: an
// older program would read wrong bytes.
func (m *Manifest) checkFeatures() error {
	if m.requires(featureZstd) {
		return nil
	}
	if len(m.Placement.Zstd) > 0 || m.Table != nil && compressed([]File{m.Table.File}) {
		return errors.New(`chunks are compressed, and the register does not require "zstd"`)
	}
	return nil
}
