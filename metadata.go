package registry

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mindtrace/registry/internal/manifest"
)

// encodeMetadata returns the canonical JSON of metadata. An error says what of
// it has none, where, and what to do.
func encodeMetadata(metadata any) (jsontext.Value, error) {
	raw, err := json.Marshal(metadata, json.Deterministic(true))
	if err == nil {
		return manifest.CanonicalMetadata(jsontext.Value(raw))
	}
	way := ""
	switch text := err.Error(); {
	case strings.HasSuffix(text, "NaN"), strings.HasSuffix(text, "Inf"):
		way = "; JSON has no such number: leave it out, or write it as a string"
	case strings.Contains(text, "invalid UTF-8"):
		way = "; text in metadata has to be UTF-8"
	case strings.Contains(text, `\ufeff`):
		way = "; it begins with a byte order mark (BOM), which JSON does not have: leave it out"
	case strings.Contains(text, "exceeded max depth"), strings.Contains(text, "cycle"):
		way = "; it is nested too deep: save it as a file of the object"
	}
	return nil, fmt.Errorf("metadata has no JSON form: %w%s", err, way)
}
