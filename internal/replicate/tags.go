package replicate

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// tags sets the tags of the versions in arrived, which maps numbers at the source
// to numbers at the destination.
func (c *Copy) tags(ctx context.Context, name, target string, arrived map[manifest.Version]manifest.Version) error {
	if c.DryRun || c.From.Settings.Unversioned || c.To.Settings.Unversioned {
		return nil // unversioned registries have no tags
	}
	for t, err := range c.From.Tags(ctx, name) {
		if c.refused.Pass(c.source(err)) {
			continue
		}
		if err != nil {
			return c.source(err)
		}
		v, ok := arrived[t.Version]
		if !ok {
			continue
		}
		has, err := c.To.ReadTag(ctx, target, t.Tag.Tag)
		if has.IsBroken(err) {
			err = nil // a damaged tag is replaced
		}
		if err != nil {
			if c.refused.Pass(c.dest(err)) {
				continue
			}
			return c.dest(err)
		}
		if has.IsSet() && has.Version == v {
			continue
		}
		err = c.tag(ctx, target, v, t.Tag.Tag)
		if errors.Is(err, fault.ErrNotFound) {
			continue // the version was deleted at the destination meanwhile
		}
		if err != nil {
			return c.dest(err)
		}
		c.Report.Tags++
	}
	return nil
}

// tag points a tag at a version of the destination.
func (c *Copy) tag(ctx context.Context, name string, v manifest.Version, tag string) error {
	f, err := c.To.ReadLive(ctx, name, v)
	if err != nil {
		return err
	}
	return c.To.SetTag(ctx, f, tag, ledger.TagCondition{})
}
