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
	for t, err := range c.from.Tags(ctx, name) {
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
		has, err := c.to.readTag(ctx, target, t.Tag)
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
		err = c.to.tag(ctx, target+"@"+v.String(), t.Tag, nil)
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
