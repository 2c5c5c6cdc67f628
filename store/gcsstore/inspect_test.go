package gcsstore

import (
	"strings"
	"testing"

	"google.golang.org/api/storage/v1"
)

// Settings that would destroy a registry are warned of, others are not.
func TestSettingsThatHurt(t *testing.T) {
	no := false
	for _, c := range []struct {
		name   string
		bucket storage.Bucket
		warns  string // "" for no warning
	}{
		{"plain", storage.Bucket{Location: "EU", StorageClass: "STANDARD"}, ""},
		{"versioned", storage.Bucket{Versioning: &storage.BucketVersioning{Enabled: true}}, "frees nothing"},
		{"retained", storage.Bucket{RetentionPolicy: &storage.BucketRetentionPolicy{RetentionPeriod: 60}}, "cannot be changed"},
		{"expiring", lifecycle("Delete", &storage.BucketLifecycleRuleCondition{}), "destroy"},
		{"expiring below", lifecycle("Delete", &storage.BucketLifecycleRuleCondition{MatchesPrefix: []string{"reg/packs"}}), "destroy"},
		{"expiring elsewhere", lifecycle("Delete", &storage.BucketLifecycleRuleCondition{MatchesPrefix: []string{"logs/"}}), ""},
		{"noncurrent", lifecycle("Delete", &storage.BucketLifecycleRuleCondition{IsLive: &no}), ""},
		{"archiving", lifecycle("SetStorageClass", nil), "expensive"},
	} {
		s := &Store{prefix: "reg/"}
		var warnings []string
		for _, f := range s.settings(&c.bucket) {
			if f.Warning != "" {
				warnings = append(warnings, f.Warning)
			}
		}
		got := strings.Join(warnings, "\n")
		if c.warns == "" && got != "" || !strings.Contains(got, c.warns) {
			t.Errorf("%s: warnings %q, want %q", c.name, got, c.warns)
		}
	}
}

func lifecycle(action string, c *storage.BucketLifecycleRuleCondition) storage.Bucket {
	return storage.Bucket{Lifecycle: &storage.BucketLifecycle{Rule: []*storage.BucketLifecycleRule{
		{Action: &storage.BucketLifecycleRuleAction{Type: action, StorageClass: "ARCHIVE"}, Condition: c},
	}}}
}
