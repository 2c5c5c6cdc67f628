package main

import (
	"context"
	"strings"

	registry "github.com/mindtrace/registry"
)

// withTags is the JSON output of info and an entry of that of versions.
type withTags struct {
	registry.Info
	Tags []string `json:"tags,omitempty"`
}

// tagsByVersion returns the tags of each version of an object. bad is an error
// if some tags cannot be read.
func (a *app) tagsByVersion(ctx context.Context, reg *registry.Registry, name string) (tags map[registry.Version][]string, bad, err error) {
	tags = map[registry.Version][]string{}
	if reg.Unversioned() {
		return tags, nil, nil
	}
	all, bad, err := readable(a, reg.Tags(ctx, name))
	for _, t := range all {
		tags[t.Version] = append(tags[t.Version], t.Tag)
	}
	return tags, bad, err
}

// tagNames returns the tags of an object that start with prefix.
func tagNames(ctx context.Context, reg *registry.Registry, name, prefix string) []string {
	var tags []string
	for t, err := range reg.Tags(ctx, name) {
		if err == nil && strings.HasPrefix(t.Tag, prefix) {
			tags = append(tags, t.Tag)
		}
	}
	return tags
}
