package registry

import (
	"context"
	"errors"
)

// tags sets the tags of the versions that have arrived.
func (c *copying) tags(ctx context.Context, name, target string, arrived map[Version]Version) error {
	if c.from.settings.Unversioned || c.to.settings.Unversioned {
		return nil // there are none
	}
	for t, err := range c.from.tags(ctx, name) {
		if c.refused.pass(c.source(err)) {
			continue
		}
		if err != nil {
			return c.source(err)
		}
		v, ok := arrived[t.Version]
		if !ok {
			continue
		}
		has, err := c.to.readTag(ctx, target, t.Tag.Tag)
		if has.broken(err) {
			err = nil // it is replaced
		}
		if err != nil {
			if c.refused.pass(c.dest(err)) {
				continue
			}
			return c.dest(err)
		}
		if has.set() && has.Version == v {
			continue
		}
		err = c.tag(ctx, target, v, t.Tag.Tag)
		if errors.Is(err, ErrNotFound) {
			continue // somebody has deleted the version there since, and its tags with it
		}
		if err != nil {
			return c.dest(err)
		}
		c.report.Tags++
	}
	return nil
}

// tag points a tag at a version of the destination.
func (c *copying) tag(ctx context.Context, name string, v Version, tag string) error {
	f, err := c.to.readLive(ctx, name, v)
	if err != nil {
		return err
	}
	return c.to.setTag(ctx, f, tag, tagCondition{})
}
