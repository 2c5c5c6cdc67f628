package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/mindtrace/registry/manifest"
)

// tags checks the tags of an object, or of all for "": that their registers
// can be read, and that each points at a live version of the digest it says.
func (v *verification) tags(ctx context.Context, name string) error {
	for info, err := range v.r.st.List(ctx, manifest.TagsPrefix(name), "") {
		if err != nil {
			return err
		}
		name, tag, err := manifest.ParseTagKey(info.Key)
		if err != nil {
			v.problem(info.Key, "", fmt.Errorf("%s does not belong here, move it away: %w", info.Key, err))
			continue
		}
		_, err = v.r.resolveTag(ctx, name, tag)
		switch {
		case err == nil:
		case errors.Is(err, ErrDangling), errors.Is(err, ErrIntegrity), errors.Is(err, manifest.ErrCorrupt), errors.Is(err, manifest.ErrNewer):
			v.problem(info.Key, name+"@"+tag, err)
		case errors.Is(err, ErrNotFound): // removed
		default:
			return err
		}
	}
	return nil
}
