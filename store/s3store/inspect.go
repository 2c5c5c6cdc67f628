package s3store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/lifecycle"

	"github.com/mindtrace/registry/store"
)

// Inspect implements store.Inspector: how the bucket is addressed, with whose
// credentials, and its settings of versioning, object lock and lifecycle.
func (s *Store) Inspect(ctx context.Context) ([]store.Fact, error) {
	_, err := s.Now(ctx) // this looks for credentials and for the server
	d := s.Describe()
	addressing := "virtual host (http://bucket.host/key)"
	if d.PathStyle {
		addressing = "path (http://host/bucket/key)"
	}
	region := d.Region
	if region == "" {
		region = "asked for with each bucket"
	}
	facts := []store.Fact{
		{Name: "endpoint", Value: d.Endpoint}, {Name: "region", Value: region},
		{Name: "bucket", Value: d.Bucket}, {Name: "prefix", Value: d.Prefix},
		{Name: "addressing", Value: addressing}, {Name: "credentials", Value: d.Credentials},
	}
	if s.server.Proxy != "" {
		facts = append(facts, store.Fact{Name: "proxy", Value: s.server.Proxy})
	}
	if errors.Is(err, store.ErrUnavailable) {
		return facts, err
	}
	if lerr := s.listable(ctx); lerr != nil { // its answer has a reason; that to a HEAD request has none
		return facts, lerr
	}
	if err != nil {
		return facts, err
	}
	return append(facts, s.versioning(ctx), s.objectLock(ctx), s.lifecycle(ctx)), nil
}

// listable returns an error unless the bucket exists and can be listed.
func (s *Store) listable(ctx context.Context) error {
	for _, err := range s.List(ctx, "", "") {
		return err
	}
	return nil
}

// unknown returns the Fact that a setting cannot be read.
func unknown(name string, err error) store.Fact {
	r := minio.ToErrorResponse(err)
	if r.StatusCode == 403 {
		return store.Fact{Name: name, Value: "not visible with these credentials"}
	}
	return store.Fact{Name: name, Value: "unknown: " + err.Error()}
}

func (s *Store) versioning(ctx context.Context) store.Fact {
	f := store.Fact{Name: "versioning", Value: "off"}
	c, err := s.core.Client.GetBucketVersioning(ctx, s.bucket)
	if err != nil {
		return unknown(f.Name, err)
	}
	if c.Enabled() {
		f.Value = "on"
		f.Warning = "garbage collection frees nothing until a lifecycle rule expires noncurrent versions"
	}
	return f
}

func (s *Store) objectLock(ctx context.Context) store.Fact {
	f := store.Fact{Name: "object lock", Value: "off"}
	on, mode, validity, unit, err := s.core.Client.GetObjectLockConfig(ctx, s.bucket)
	switch code := minio.ToErrorResponse(err).Code; {
	case code == "ObjectLockConfigurationNotFoundError":
	case err != nil:
		return unknown(f.Name, err)
	case on == "Enabled":
		f.Value = "on"
		if mode != nil && validity != nil && unit != nil {
			f.Value = fmt.Sprintf("on, %s for %d %s", *mode, *validity, strings.ToLower(string(*unit)))
			f.Warning = "garbage collection cannot delete retained objects; it keeps them and reports it"
		}
	}
	return f
}

func (s *Store) lifecycle(ctx context.Context) store.Fact {
	f := store.Fact{Name: "lifecycle", Value: "no rules"}
	c, err := s.core.Client.GetBucketLifecycle(ctx, s.bucket)
	switch {
	case minio.ToErrorResponse(err).Code == "NoSuchLifecycleConfiguration":
		return f
	case err != nil:
		return unknown(f.Name, err)
	}
	var harm []string
	n := 0
	for _, r := range c.Rules {
		if r.Status != "Enabled" || !s.concerns(r) {
			continue
		}
		n++
		if !r.Expiration.IsNull() {
			harm = append(harm, fmt.Sprintf("rule %q deletes objects by age: it will destroy this registry", r.ID))
		}
		if !r.Transition.IsNull() {
			harm = append(harm, fmt.Sprintf("rule %q moves objects to %q: loads fail if that is an archive", r.ID, r.Transition.StorageClass))
		}
	}
	f.Value = fmt.Sprintf("%d rules for this prefix", n)
	f.Warning = strings.Join(harm, "; ")
	return f
}

// concerns reports whether a rule may apply to keys of the store, judged by its
// prefix.
func (s *Store) concerns(r lifecycle.Rule) bool {
	prefix := first(r.Prefix, r.RuleFilter.Prefix, r.RuleFilter.And.Prefix)
	return strings.HasPrefix(prefix, s.prefix) || strings.HasPrefix(s.prefix, prefix)
}
