package gcsstore

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/api/storage/v1"

	"github.com/mindtrace/registry/store"
)

// Inspect implements store.Inspector: where the bucket is, with whose
// credentials, and its settings of versioning, soft deletion, retention and
// lifecycle.
func (s *Store) Inspect(ctx context.Context) ([]store.Fact, error) {
	err := s.reachable(ctx) // this looks for credentials and for the server
	d := s.Describe()
	facts := []store.Fact{
		{Name: "endpoint", Value: d.Endpoint}, {Name: "bucket", Value: d.Bucket}, {Name: "prefix", Value: d.Prefix},
		{Name: "credentials", Value: d.Credentials},
	}
	if s.server.Proxy != "" {
		facts = append(facts, store.Fact{Name: "proxy", Value: s.server.Proxy})
	}
	if err != nil {
		return facts, err
	}
	b, err := s.api.Buckets.Get(s.bucket).Context(ctx).Do()
	switch {
	case status(err) == http.StatusForbidden, status(err) == http.StatusUnauthorized:
		return append(facts, store.Fact{Name: "settings", Value: "not visible with these credentials, which lack the permission storage.buckets.get"}), nil
	case err != nil:
		return append(facts, store.Fact{Name: "settings", Value: "unknown: " + err.Error()}), nil
	}
	return append(facts, s.settings(b)...), nil
}

// settings returns the settings of a bucket, with warnings about harmful ones.
func (s *Store) settings(b *storage.Bucket) []store.Fact {
	location := store.Fact{Name: "location", Value: strings.ToLower(b.Location + " " + b.StorageClass)}
	versioning := store.Fact{Name: "versioning", Value: "off"}
	if b.Versioning != nil && b.Versioning.Enabled {
		versioning.Value = "on"
		versioning.Warning = "garbage collection frees nothing until a lifecycle rule deletes noncurrent versions"
	}
	soft := store.Fact{Name: "soft deletion", Value: "off"}
	if b.SoftDeletePolicy != nil && b.SoftDeletePolicy.RetentionDurationSeconds > 0 {
		soft.Value = fmt.Sprintf("%d days, which are paid for", b.SoftDeletePolicy.RetentionDurationSeconds/86400)
	}
	retention := store.Fact{Name: "retention", Value: "off"}
	if b.RetentionPolicy != nil && b.RetentionPolicy.RetentionPeriod > 0 {
		retention.Value = fmt.Sprintf("%d s", b.RetentionPolicy.RetentionPeriod)
		retention.Warning = "registers cannot be changed during retention, so deleting, tagging and locking fail; remove the policy from this bucket"
	}
	lifecycle := store.Fact{Name: "lifecycle", Value: "no rules"}
	if b.Lifecycle != nil && len(b.Lifecycle.Rule) > 0 {
		lifecycle.Value = fmt.Sprintf("%d rules", len(b.Lifecycle.Rule))
		var harm []string
		for _, r := range b.Lifecycle.Rule {
			if r.Action == nil || !s.concerns(r.Condition) {
				continue
			}
			switch r.Action.Type {
			case "Delete":
				harm = append(harm, "a rule deletes objects: it will destroy this registry")
			case "SetStorageClass":
				harm = append(harm, fmt.Sprintf("a rule moves objects to %s: reading them gets expensive", r.Action.StorageClass))
			}
		}
		lifecycle.Warning = strings.Join(harm, "; ")
	}
	return []store.Fact{location, versioning, soft, retention, lifecycle}
}

// concerns reports whether a lifecycle rule may apply to live objects of the
// store.
func (s *Store) concerns(c *storage.BucketLifecycleRuleCondition) bool {
	if c == nil {
		return true
	}
	if c.IsLive != nil && !*c.IsLive || c.NumNewerVersions > 0 || c.DaysSinceNoncurrentTime > 0 {
		return false // noncurrent versions only
	}
	if len(c.MatchesPrefix) == 0 {
		return true
	}
	for _, p := range c.MatchesPrefix {
		if strings.HasPrefix(p, s.prefix) || strings.HasPrefix(s.prefix, p) {
			return true
		}
	}
	return false
}
