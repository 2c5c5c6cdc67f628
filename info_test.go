package registry

import (
	"reflect"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

func TestMetadataAndInfo(t *testing.T) {
	r, _ := inMemory(t)
	meta := map[string]any{"source": "line-3", "epochs": 12, "loss": 0.125, "tags": []string{"ü", "b"}, "nested": map[string]any{"x": nil}}
	mustSave(t, r, "my:model", aModel, WithMetadata(meta))
	i := must[*Info](t)(r.Info(t.Context(), "my:model"))
	var got map[string]any
	if err := i.DecodeMetadata(&got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"source": "line-3", "epochs": 12.0, "loss": 0.125, "tags": []any{"ü", "b"}, "nested": map[string]any{"x": nil}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("metadata is %v", got)
	}
	if i.Name != "my:model" || i.Version.String() != "1.0.0" || i.Materializer != "json" ||
		i.Class != "github.com/mindtrace/registry.model" || i.Files != 1 || i.Size == 0 ||
		i.Path != "test:/objects/my!!model/@/a1.a0.a0~.json" || i.Deleted != nil || i.Ref() != "my:model@1.0.0" {
		t.Errorf("info is %+v", i)
	}
	mustSave(t, r, "other:name", aModel, WithMetadata(meta))
	if j := must[*Info](t)(r.Info(t.Context(), "other:name")); j.Digest != i.Digest {
		t.Error("the same content under another name has another digest")
	}
	mustSave(t, r, "my:model", aModel)
	if j := must[*Info](t)(r.Info(t.Context(), "my:model")); j.Digest == i.Digest || len(j.Metadata) != 0 {
		t.Error("metadata are not part of the digest, or stick to the next version")
	}
	if j := must[*Info](t)(r.Info(t.Context(), "my:model@"+i.Digest)); j.Version != i.Version {
		t.Errorf("digest leads to %s", j.Version)
	}
}

// Info.Path is a location: the options of a URL stay at its end.
func TestInfoPath(t *testing.T) {
	for url, want := range map[string]string{
		"/srv/models":          "/srv/models/k",
		"/srv/what?/":          "/srv/what?/k",
		"s3://b/p":             "s3://b/p/k",
		"s3://b/p/?region=x/y": "s3://b/p/k?region=x/y",
		"s3://b?endpoint=e":    "s3://b/k?endpoint=e",
	} {
		if got := pathAt(url, "k"); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	st := newStore(t)
	openOn(t, st, nil)
	r := must[*Registry](t)(OpenStore(t.Context(), st, "s3://b/p?x=y", nil))
	mustSave(t, r, "m", "x")
	if got, want := must[*Info](t)(r.Info(t.Context(), "m")).Path, "s3://b/p/"+manifest.VersionKey("m", Version{Major: 1})+"?x=y"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
