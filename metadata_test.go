package registry

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// An error of metadata says what, where, and what to do, before anything is
// written.
func TestMetadataRefusalsNamePlaceAndRemedy(t *testing.T) {
	r, _ := inMemory(t)
	var deep any
	for range 11_000 {
		deep = []any{deep}
	}
	for what, test := range map[string]struct {
		v          any
		place, way string
	}{
		"NaN":             {map[string]any{"a": []any{1, math.NaN()}}, "/a/1", "leave it out"},
		"infinity":        {map[string]float64{"a": math.Inf(-1)}, "/a", "leave it out"},
		"byte order mark": {json.RawMessage("\ufeff{}"), "byte order mark", "leave it out"},
		"not UTF-8":       {map[string]string{"a": "\xff"}, "/a", "UTF-8"},
		"large integer":   {map[string]any{"a": []any{0, int64(1<<53 + 1)}}, "/a/1", "as a string"},
		"large number":    {json.RawMessage(`{"a":{"b":1e400}}`), "/a/b", "as a string"},
		"many digits":     {json.RawMessage(`{"a":{"b":0.12345678901234567890123}}`), "/a/b", "as a string"},
		"too deep":        {deep, "/0/0", ""}, // the limit of the format says what to do
		"function":        {map[string]any{"f": func() {}}, "/f", "func()"},
	} {
		_, err := r.Save(t.Context(), "m", "x", WithMetadata(test.v))
		if err == nil || !strings.Contains(err.Error(), test.place) || !strings.Contains(err.Error(), test.way) {
			t.Errorf("%s: %v; want an error with %q and %q", what, err, test.place, test.way)
		}
	}
	if ok, err := r.Has(t.Context(), "m"); ok || err != nil {
		t.Errorf("something was saved: %t, %v", ok, err)
	}
}
